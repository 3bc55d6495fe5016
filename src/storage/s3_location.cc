#include "storage/s3.h"

namespace holdfast::storage {

namespace {

bool is_aws(std::string_view host) {
  return host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn");
}

// By AWS's rules for buckets; with a dot no certificate fits the name.
bool fits_in_host(std::string_view bucket) {
  return bucket.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == bucket.npos;
}

}  // namespace

Result<S3Location> parse_s3_location(std::string_view text, const std::string& region, BucketIn bucket_in) {
  const auto wrong = [&](std::string_view why) {
    return Error(Errc::usage, fmt::format("{}: {}", text, why))
        .hint("s3:https://host/bucket/prefix, or s3://bucket/prefix");
  };
  std::string_view rest = text;
  if (!rest.starts_with("s3:")) return wrong("no address of S3");
  rest.remove_prefix(3);
  std::string url;
  if (rest.starts_with("http://") || rest.starts_with("https://")) {
    url = rest;
  } else {
    if (rest.starts_with("//")) rest.remove_prefix(2);
    const std::string_view first = rest.substr(0, rest.find('/'));
    const bool host = first.find_first_of(".:") != first.npos || first == "localhost";
    url =
        host ? "https://" : fmt::format("https://s3.{}.amazonaws.com/", region.empty() ? kNoRegion : region);
    url += rest;
  }
  S3Location location;
  location.server = TRY(net::parse_url(url));
  std::string path = std::exchange(location.server.path, "");
  path.erase(0, path.find_first_not_of('/'));
  while (path.ends_with('/')) path.pop_back();
  const std::size_t slash = path.find('/');
  location.bucket = path.substr(0, slash);
  if (slash != path.npos) location.prefix = path.substr(slash + 1) + "/";
  if (location.bucket.empty()) return wrong("it names no bucket");
  if (location.prefix.find("//") != location.prefix.npos) return wrong("there is an empty name in its path");
  location.in_host =
      bucket_in == BucketIn::host ||
      (bucket_in == BucketIn::host_at_aws && is_aws(location.server.host) && fits_in_host(location.bucket));
  return location;
}

}  // namespace holdfast::storage
