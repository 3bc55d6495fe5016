// S3Client: one signed request to a bucket and its answer. Credentials that ran out are got anew, and a
// bucket of another region is asked there, once for each request. Thread-safe.
#pragma once

#include "storage/s3.h"
#include "storage/s3_reply.h"

namespace holdfast::storage {

struct S3Call {
  std::string method;
  std::string name;                                        // "": the bucket itself
  std::vector<std::pair<std::string, std::string>> query;  // not escaped
  net::HttpHeaders headers;
  net::HttpBody body;
  Hash body_sha256 = no_bytes();
  std::uint64_t answer_bytes_max = 64 * kKiB;  // of an error's text

  static const Hash& no_bytes();
};

class S3Client {
 public:
  S3Client(S3Location location, std::string region, S3Doors doors, RetryPolicy policy);

  const S3Location& location() const { return location_; }
  const S3Doors& doors() const { return doors_; }
  std::string describe() const;

  // What is no success is an error; `what` says what was asked: "get d/01/…".
  Result<net::HttpAnswer> send(const S3Call& call, std::string_view what, const std::stop_token& stop);
  // The call for the first page of what begins with `prefix`, of a listing that its first parameter chooses.
  S3Call listing(std::string parameter, std::string value, std::string_view prefix) const;
  // A page of a listing. Tried again by itself: of thousands some fail, and none should begin anew for that.
  template <typename Page>
  Result<Page> page(const S3Call& call, Result<Page> (*parse)(Bytes body), std::string_view what,
                    const std::stop_token& stop) {
    Backoff backoff(policy_, doors_.clock, doors_.random);
    for (;;) {
      auto answer = send(call, what, stop);
      auto page = answer.ok() ? parse(answer.value().body) : Result<Page>(answer.error().copy());
      if (page.ok() || !backoff.again(page.error(), stop)) return page;
    }
  }

 private:
  net::HttpRequest signed_request(const S3Call& call, const std::string& region,
                                  const S3Credentials& keys) const;
  std::string region();

  const S3Location location_;
  const S3Doors doors_;
  const RetryPolicy policy_;
  std::mutex mutex_;  // guards region_
  std::string region_;
};

}  // namespace holdfast::storage
