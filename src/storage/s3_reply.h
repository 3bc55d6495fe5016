// What S3 answers, read: errors and listings. Pure.
#pragma once

#include "net/http.h"
#include "storage/storage.h"

namespace holdfast::storage {

// What an answer that is no success says.
struct S3Refusal {
  int status = 0;
  std::string code;     // "NoSuchKey"; "" where the answer had no body, as to HEAD
  std::string message;  // for people
  std::string region;   // where the bucket is, if it says so

  bool credentials_expired() const { return code == "ExpiredToken" || code == "TokenRefreshRequired"; }
};
// Nothing where the answer is a success; one with an error in its body is none.
std::optional<S3Refusal> refusal_of(const net::HttpAnswer& answer);
// The error that it comes to. `what` says what was asked: "get d/01/…".
Error s3_error(const S3Refusal& refusal, std::string_view what);

struct S3Page {
  std::vector<ObjectInfo> objects;  // with whole keys
  std::string next;                 // the token that continues; "" at the end
};
// Errc::unreachable where it was cut short or is no listing: it may be whole the next time.
Result<S3Page> parse_listing(Bytes body);

// The answer to ?versioning. False for whatever else it is.
bool keeps_versions(Bytes body);

struct S3Version {
  std::string name;  // the whole key
  std::string id;
  std::uint64_t size_bytes = 0;
  bool is_marker = false;  // of a deletion
};
struct S3VersionPage {
  std::vector<S3Version> versions;
  std::string next_key, next_id;  // where the next page begins; "" at the end
};
// As parse_listing.
Result<S3VersionPage> parse_versions(Bytes body);

}  // namespace holdfast::storage
