// Where the keys to S3 come from, as AWS's own tools look for them: the environment, a profile in files, the
// container that this runs in, the machine's instance role (IMDSv2).
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "net/http.h"
#include "storage/s3_sign.h"

namespace holdfast::storage {

using Variables = std::function<std::optional<std::string>(std::string_view name)>;

// A profile of the files that AWS's tools keep: ~/.aws/credentials and ~/.aws/config.
struct S3Profile {
  std::optional<S3Credentials> credentials;
  std::string region;
};
// `name` is taken from [name] of the first text and [profile name], or [default], of the second.
S3Profile profile_of(std::string_view credentials_file, std::string_view config_file, std::string_view name);

// Finds credentials, keeps them, and gets new ones five minutes before they end. Thread-safe.
class S3CredentialSource {
 public:
  // `clock` must outlive it; `variables` are the environment's.
  S3CredentialSource(std::shared_ptr<net::Http> http, Clock& clock, Variables variables);

  // Errc::denied where there are none, with a hint that says where was looked.
  Result<S3Credentials> get(std::stop_token stop);
  // The store says that these are over.
  void expired();
  // As the environment or the profile names it; "" if neither does.
  Result<std::string> region();

 private:
  Result<S3Credentials> find(const std::stop_token& stop);
  Result<S3Profile> profile();
  Result<std::optional<S3Credentials>> from_container(const std::stop_token& stop);
  Result<std::optional<S3Credentials>> from_instance(const std::stop_token& stop);
  Result<Buffer> ask(const net::HttpRequest& request, std::string_view whom, const std::stop_token& stop);

  const std::shared_ptr<net::Http> http_;
  Clock& clock_;
  const Variables variables_;
  std::mutex mutex_;  // guards known_
  std::optional<S3Credentials> known_;
};

}  // namespace holdfast::storage
