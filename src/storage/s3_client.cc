#include "storage/s3_client.h"

#include "crypto/sha256.h"

namespace holdfast::storage {

namespace {

constexpr std::uint64_t kListingBytesMax = 16 * kMiB;  // of a page

}  // namespace

const Hash& S3Call::no_bytes() {
  static const Hash hash = crypto::sha256({});
  return hash;
}

S3Client::S3Client(S3Location location, std::string region, S3Doors doors, RetryPolicy policy)
    : location_(std::move(location)), doors_(std::move(doors)), policy_(policy), region_(std::move(region)) {}

std::string S3Client::describe() const {
  return fmt::format("s3:{}/{}{}", location_.server.origin(), location_.in_host ? "" : location_.bucket + "/",
                     location_.prefix);
}

S3Call S3Client::listing(std::string parameter, std::string value, std::string_view prefix) const {
  S3Call call{"GET", "", {}, {}, {}};
  call.query.emplace_back(std::move(parameter), std::move(value));
  call.query.emplace_back("prefix", location_.prefix + std::string(prefix));
  call.answer_bytes_max = kListingBytesMax;
  return call;
}

std::string S3Client::region() {
  const std::lock_guard lock(mutex_);
  return region_.empty() ? kNoRegion : region_;
}

net::HttpRequest S3Client::signed_request(const S3Call& call, const std::string& region,
                                          const S3Credentials& keys) const {
  net::Url server = location_.server;
  if (location_.in_host) server.host = location_.bucket + "." + server.host;
  S3Signing signing{region, "s3", doors_.clock.now_ns(), server.authority(), "/", {}, hex(call.body_sha256)};
  if (!location_.in_host) signing.path += net::escape(location_.bucket);
  if (!call.name.empty()) {
    if (!location_.in_host) signing.path += "/";
    signing.path += net::escape(location_.prefix + call.name, net::Slash::keep);
  }
  std::string words;
  for (const auto& [name, value] : call.query) {
    signing.query.emplace_back(net::escape(name), net::escape(value));
    words += fmt::format("{}{}={}", words.empty() ? "?" : "&", net::escape(name), net::escape(value));
  }
  net::HttpRequest request{call.method, server.origin() + signing.path + words, call.headers, call.body,
                           call.answer_bytes_max};
  request.headers.emplace_back("x-amz-content-sha256", signing.payload_sha256);
  sign(call.method, signing, keys, request.headers);
  return request;
}

// What is no success is an error; once more where only the credentials or the region were wrong.
Result<net::HttpAnswer> S3Client::send(const S3Call& call, std::string_view what,
                                       const std::stop_token& stop) {
  for (bool again = false;; again = true) {
    const S3Credentials keys = TRY(doors_.credentials->get(stop));
    const std::string region = this->region();
    net::HttpAnswer answer =
        TRY_AS(doors_.http->send(signed_request(call, region, keys), stop), std::string(what));
    const auto refusal = refusal_of(answer);
    if (!refusal) return answer;
    const bool elsewhere = !refusal->region.empty() && refusal->region != region && refusal->status < 500 &&
                           refusal->status != 404;
    if (again || (!elsewhere && !refusal->credentials_expired())) return s3_error(*refusal, what);
    if (refusal->credentials_expired()) doors_.credentials->expired();
    if (elsewhere) {
      const std::lock_guard lock(mutex_);
      region_ = refusal->region;
    }
  }
}

}  // namespace holdfast::storage
