// A store in a bucket of S3, or of a server that speaks it (Ceph, MinIO, Google's XML interface, B2, R2).
//
// How it keeps the contract: put is PUT with `If-None-Match: *`, which the server must honour. Some ignore
// it; so the first object that a client puts is put once more, bytes and all, and that must be refused (412):
// no object is altered by asking. Where the bucket keeps versions, the oldest of a name counts instead
// (s3_versions.h). PUT carries the body's SHA-256, so the server refuses what arrived as something else. An
// object is durable when PUT is answered, so barrier has nothing to do. What no answer came to is
// Errc::unreachable. Credentials that ran out are got anew, and a bucket of another region is asked there,
// once for each request. list tries each of its pages again by itself: of thousands some fail.
#pragma once

#include "net/url.h"
#include "storage/backoff.h"
#include "storage/disk.h"
#include "storage/s3_credentials.h"
#include "storage/storage.h"

namespace holdfast::storage {

// What is signed, and asked at AWS, where no region is named; servers without regions expect it.
inline constexpr char kNoRegion[] = "us-east-1";

struct S3Location {
  net::Url server;  // without a path
  std::string bucket;
  std::string prefix;    // of all names, "" or ending in '/'
  bool in_host = false;  // the bucket is part of the host's name; else of the path
};

// "s3:https://host/bucket/prefix", "s3:host/bucket/prefix", "s3://host/bucket/prefix" and, for AWS itself,
// "s3://bucket/prefix". Errc::usage.
enum class BucketIn : unsigned char { host_at_aws, host, path };
Result<S3Location> parse_s3_location(std::string_view text, const std::string& region, BucketIn bucket_in);

struct S3Doors {
  std::shared_ptr<net::Http> http;
  std::shared_ptr<S3CredentialSource> credentials;
  Clock& clock;
  Random& random;
  Disk& disk;  // for spools
  std::string scratch_directory;
};

// Speaks to nobody before the first call. Clock, random and disk must outlive it. `region` may be "": then it
// is learned.
std::unique_ptr<Storage> open_s3(S3Location location, std::string region, S3Doors doors,
                                 RetryPolicy policy = {});

}  // namespace holdfast::storage
