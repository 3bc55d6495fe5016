// A bucket that keeps versions: of the versions of a name the oldest is the object, for ever. So whoever puts
// first has put it, also where the server ignores If-None-Match; who overwrites or deletes without naming a
// version (a thief of a key that may write, a rule of the bucket) only adds what nobody reads.
// Thread-safe.
#pragma once

#include "storage/s3_client.h"

namespace holdfast::storage {

class S3Versions {
 public:
  explicit S3Versions(S3Client& client) : client_(client) {}

  // Whether the bucket keeps versions; asked once. Where asking is not allowed: no.
  Result<bool> kept(const std::stop_token& stop);

  // Errc::not_found where no version is an object.
  Result<S3Version> oldest(const std::string& name, const std::stop_token& stop);
  // What was put, by the answer to it, must be the oldest: else Errc::exists.
  Result<void> expect_first(const std::string& name, const net::HttpAnswer& put, const std::stop_token& stop);
  // Every version, the oldest last: a removal that is cut off leaves the object as it was.
  Result<void> remove(const std::string& name, const std::stop_token& stop);
  Result<void> list(std::string_view prefix, const Visit& visit, const std::stop_token& stop);

 private:
  // False: it has seen enough.
  using VisitVersion = std::function<Result<bool>(const S3Version& version)>;
  Result<void> each(std::string_view prefix, const VisitVersion& visit, const std::stop_token& stop);
  Result<std::vector<S3Version>> all_of(const std::string& name, const std::stop_token& stop);

  S3Client& client_;
  std::mutex mutex_;  // guards what follows
  std::optional<bool> kept_;
  std::map<std::string, S3Version> known_;  // the oldest of names; they don't change
};

}  // namespace holdfast::storage
