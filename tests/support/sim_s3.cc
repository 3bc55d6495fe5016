#include "tests/support/sim_s3.h"

#include <fmt/core.h>

#include <charconv>
#include <set>

#include "crypto/sha256.h"

namespace holdfast::testing {

using net::HttpAnswer;

// A request as the server sees it.
struct SimS3::Parsed {
  std::string method, key;
  std::map<std::string, std::string> query, headers;
  Buffer body;
  bool bucket = false;
};

class SimS3Http final : public net::Http {
 public:
  explicit SimS3Http(SimS3& server) : server_(server) {}
  Result<HttpAnswer> send(const net::HttpRequest& request, std::stop_token stop) override {
    if (stop.stop_requested()) return Error(Errc::stopped, "stopped");
    HttpAnswer answer = TRY(server_.answer(request));
    if (request.method == "HEAD") answer.body.clear();
    if (answer.body.size() > request.answer_bytes_max) return Error(Errc::damaged, "the answer is too long");
    return answer;
  }

 private:
  SimS3& server_;
};

namespace {

std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::array<std::uint8_t, 1> byte{};
    const bool escaped = text[i] == '%' && i + 2 < text.size() && unhex(text.substr(i + 1, 2), byte);
    out += escaped ? static_cast<char>(byte[0]) : text[i];
    if (escaped) i += 2;
  }
  return out;
}

// Where a request goes, as it is on the wire.
struct Target {
  std::string host, path;
  std::vector<std::pair<std::string, std::string>> query;
};

Target target_of(std::string_view url) {
  url = url.substr(url.find("://") + 3);
  const std::size_t slash = url.find('/'), mark = std::min(url.find('?'), url.size());
  Target out{std::string(url.substr(0, slash)), std::string(url.substr(slash, mark - slash)), {}};
  for (std::string_view words = url.substr(std::min(mark + 1, url.size())); !words.empty();) {
    const std::string_view word = words.substr(0, words.find('&'));
    words.remove_prefix(std::min(words.size(), word.size() + 1));
    const std::size_t equals = std::min(word.find('='), word.size());
    out.query.emplace_back(word.substr(0, equals), word.substr(std::min(equals + 1, word.size())));
  }
  return out;
}

HttpAnswer xml(int status, const std::string& body) {
  return {status, {{"content-type", "application/xml"}}, Buffer(body.begin(), body.end())};
}

HttpAnswer error(int status, std::string_view code, const std::string& more = "") {
  return xml(status, fmt::format("<Error><Code>{}</Code><Message>simulated</Message>{}</Error>", code, more));
}

std::string value_of(const std::map<std::string, std::string>& in, const std::string& name) {
  const auto at = in.find(name);
  return at == in.end() ? "" : at->second;
}

}  // namespace

std::unique_ptr<net::Http> SimS3::http() { return std::make_unique<SimS3Http>(*this); }

std::map<std::string, Buffer> SimS3::objects() const {
  const std::lock_guard lock(mutex_);
  std::map<std::string, Buffer> out;
  for (const auto& [key, versions] : objects_) {
    if (versions.back().bytes) out[key] = *versions.back().bytes;
  }
  return out;
}

// The newest version of a name; where none are kept, the only one. Nothing: a marker of a deletion.
void SimS3::add(const std::string& key, std::optional<Buffer> bytes) {
  auto& versions = objects_[key];
  if (!rules_.versioned) versions.clear();
  versions.push_back({fmt::format("v{:05}", ++versions_), std::move(bytes)});
  if (!rules_.versioned && !versions.back().bytes) objects_.erase(key);
}

void SimS3::overwrite(const std::string& key, Buffer bytes) {
  const std::lock_guard lock(mutex_);
  add(key, std::move(bytes));
}

void SimS3::erase(const std::string& key) {
  const std::lock_guard lock(mutex_);
  add(key, std::nullopt);
}

const SimS3::Version* SimS3::find(const std::string& key, const std::string& id) const {
  const auto at = objects_.find(key);
  if (at == objects_.end()) return nullptr;
  for (const Version& version : at->second) {
    if (version.id == id) return &version;
  }
  return id.empty() && at->second.back().bytes ? &at->second.back() : nullptr;
}

Result<HttpAnswer> SimS3::answer(const net::HttpRequest& request) {
  Parsed parsed;
  parsed.method = request.method;
  for (const auto& [name, value] : request.headers) parsed.headers[name] = value;
  parsed.body.resize(request.body.size_bytes);
  const std::lock_guard lock(mutex_);
  const auto fault = faults_.next();
  if (request.body.size_bytes > 0) {
    // In pieces, and from the beginning again, as over connections that break.
    const std::size_t half = parsed.body.size() / 2;
    TRY(request.body.read(0, MutableBytes(parsed.body).first(half)));
    TRY(request.body.read(0, parsed.body));
  }
  if (fault == S3Fault::torn_body) parsed.body.resize(parsed.body.size() / 2);
  if (fault == S3Fault::lost_before) return Error(Errc::unreachable, "simulated: connection reset");
  if (const auto refusal = refused(request, parsed)) return *refusal;
  // /bucket/key, or /key where the bucket is in the host's name.
  const Target target = target_of(request.url);
  std::string path = unescaped(target.path).substr(1);
  if (!target.host.starts_with("bucket.")) {
    const std::size_t slash = path.find('/');
    if (path.substr(0, slash) != "bucket") return error(404, "NoSuchBucket");
    path = slash == path.npos ? "" : path.substr(slash + 1);
  }
  parsed.key = path;
  parsed.bucket = path.empty();
  for (const auto& [name, value] : target.query) parsed.query[unescaped(name)] = unescaped(value);
  HttpAnswer done = serve(parsed, fault);
  if (fault == S3Fault::lost_after) return Error(Errc::unreachable, "simulated: connection reset");
  if (fault == S3Fault::cut_answer) done.body.resize(done.body.size() / 2);
  return done;
}

// Who asks, when, and whether all of it arrived.
std::optional<HttpAnswer> SimS3::refused(const net::HttpRequest& request, const Parsed& parsed) const {
  const std::string authorization = value_of(parsed.headers, "authorization");
  const auto part = [&](std::string_view name) {
    const std::size_t at = authorization.find(name);
    if (at == authorization.npos) return std::string();
    const std::size_t begin = at + name.size();
    return authorization.substr(begin, authorization.find(',', begin) - begin);
  };
  std::string scope = part("Credential=");
  const std::string key = scope.substr(0, scope.find('/'));
  if (key != rules_.access_key) return error(403, "InvalidAccessKeyId");
  const std::string day = scope.substr(key.size() + 1, 8);
  std::string region = scope.substr(key.size() + 10);
  region = region.substr(0, region.find('/'));
  if (region != rules_.region)
    return error(400, "AuthorizationHeaderMalformed", fmt::format("<Region>{}</Region>", rules_.region));
  const std::string date = value_of(parsed.headers, "x-amz-date");
  const std::int64_t now = clock_.now_ns(), quarter = 900'000'000'000;
  if (date < storage::amz_date(now - quarter) || date > storage::amz_date(now + quarter))
    return error(403, "RequestTimeTooSkewed");
  Target target = target_of(request.url);
  storage::S3Signing signing{
      region, "s3", 0, target.host, target.path, {}, value_of(parsed.headers, "x-amz-content-sha256")};
  signing.query = std::move(target.query);
  net::HttpHeaders headers;
  for (const auto& [name, value] : request.headers) {
    if (name != "authorization") headers.emplace_back(name, value);
  }
  const std::string canonical = storage::canonical_request(request.method, signing, headers);
  const std::string text = fmt::format("AWS4-HMAC-SHA256\n{}\n{}/{}/s3/aws4_request\n{}", date, day, region,
                                       hex(crypto::sha256(as_bytes(canonical))));
  Hash secret = crypto::hmac_sha256(as_bytes("AWS4" + rules_.secret_key), as_bytes(day));
  for (const std::string& step : {region, std::string("s3"), std::string("aws4_request")})
    secret = crypto::hmac_sha256(secret, as_bytes(step));
  if (part("Signature=") != hex(crypto::hmac_sha256(secret, as_bytes(text))))
    return error(403, "SignatureDoesNotMatch");
  if (parsed.body.size() != request.body.size_bytes) return error(400, "IncompleteBody");
  if (hex(crypto::sha256(parsed.body)) != signing.payload_sha256)
    return error(400, "XAmzContentSHA256Mismatch");
  static const std::set<std::string> known{"authorization", "x-amz-date",    "x-amz-content-sha256",
                                           "range",         "if-none-match", "x-amz-security-token"};
  for (const auto& [name, value] : parsed.headers) {
    if (!known.contains(name)) return error(400, "InvalidRequest");
  }
  return std::nullopt;
}

HttpAnswer SimS3::serve(const Parsed& request, std::optional<S3Fault> fault) {
  if (fault == S3Fault::slow_down) return error(503, "SlowDown");
  if (fault == S3Fault::internal_error) return error(500, "InternalError");
  if (fault == S3Fault::bad_gateway) return {502, {{"content-type", "text/html"}}, Buffer(4000, '<')};
  if (fault == S3Fault::late_error) return error(200, "InternalError");
  if (fault == S3Fault::expired_token) return error(400, "ExpiredToken");
  if (request.bucket && request.method != "GET") return error(405, "MethodNotAllowed");
  if (request.bucket && request.query.contains("versioning")) {
    return xml(200, fmt::format("<VersioningConfiguration>{}</VersioningConfiguration>",
                                rules_.versioned ? "<Status>Enabled</Status>" : ""));
  }
  if (request.bucket && request.query.contains("versions")) return list_versions(request);
  if (request.bucket) return list(request, fault);
  if (request.method == "PUT") return put(request, fault);
  if (request.method == "GET" || request.method == "HEAD") return get(request, fault);
  return request.method == "DELETE" ? erase_one(request) : error(405, "MethodNotAllowed");
}

HttpAnswer SimS3::erase_one(const Parsed& request) {
  const auto at = objects_.find(request.key);
  const std::string id = value_of(request.query, "versionId");
  if (at == objects_.end()) return {204, {}, {}};
  if (!rules_.versioned || id.empty()) {
    add(request.key, std::nullopt);
  } else {
    std::erase_if(at->second, [&](const Version& version) { return version.id == id; });
    if (at->second.empty()) objects_.erase(at);
  }
  return {204, {}, {}};
}

// Two versions a page.
HttpAnswer SimS3::list_versions(const Parsed& request) const {
  const std::string prefix = value_of(request.query, "prefix"),
                    key_marker = value_of(request.query, "key-marker"),
                    id_marker = value_of(request.query, "version-id-marker");
  std::string contents, more;
  int count = 0;
  std::string last_key, last_id;
  for (const auto& [key, versions] : objects_) {
    if (!key.starts_with(prefix) || key < key_marker || (key == key_marker && id_marker.empty())) continue;
    for (auto v = versions.rbegin(); v != versions.rend(); ++v) {  // ids go up with time
      if (key == key_marker && v->id >= id_marker) continue;
      if (count == 2 && more.empty()) {
        more = fmt::format("<NextKeyMarker>{}</NextKeyMarker><NextVersionIdMarker>{}</NextVersionIdMarker>",
                           last_key, last_id);
      }
      if (count == 2) continue;
      ++count;
      last_key = key;
      last_id = v->id;
      const char* const kind = v->bytes ? "Version" : "DeleteMarker";
      contents += fmt::format("<{}><Key>{}</Key><VersionId>{}</VersionId>{}</{}>", kind, key, v->id,
                              v->bytes ? fmt::format("<Size>{}</Size>", v->bytes->size()) : "", kind);
    }
  }
  return xml(200, fmt::format("<ListVersionsResult><IsTruncated>{}</IsTruncated>{}{}</ListVersionsResult>",
                              !more.empty(), more, contents));
}

HttpAnswer SimS3::put(const Parsed& request, std::optional<S3Fault> fault) {
  if (!request.query.empty()) return error(400, "InvalidArgument");
  if (fault == S3Fault::conflict) return error(409, "ConditionalRequestConflict");
  const std::string condition = value_of(request.headers, "if-none-match");
  if (!condition.empty() && condition != "*") return error(501, "NotImplemented");
  const bool there = find(request.key, "") != nullptr;
  if (condition == "*" && there && rules_.honours_if_none_match) return error(412, "PreconditionFailed");
  add(request.key, request.body);
  HttpAnswer answer{200, {{"etag", "\"simulated\""}}, {}};
  if (rules_.versioned) answer.headers.emplace_back("x-amz-version-id", objects_[request.key].back().id);
  return answer;
}

HttpAnswer SimS3::get(const Parsed& request, std::optional<S3Fault> fault) const {
  const std::string id = value_of(request.query, "versionId");
  const Version* const version = find(request.key, id);
  if (version == nullptr) return error(404, id.empty() ? "NoSuchKey" : "NoSuchVersion");
  if (!version->bytes) return error(405, "MethodNotAllowed");
  const Buffer& object = *version->bytes;
  HttpAnswer answer{200, {{"content-type", "application/octet-stream"}}, object};
  const std::string range = value_of(request.headers, "range");
  if (!range.empty()) {
    std::uint64_t first = 0, last = 0;
    if (!range.starts_with("bytes=")) return error(400, "InvalidArgument");
    const std::size_t dash = range.find('-');
    std::from_chars(range.data() + 6, range.data() + dash, first);
    std::from_chars(range.data() + dash + 1, range.data() + range.size(), last);
    if (first >= object.size()) return error(416, "InvalidRange");
    last = std::min<std::uint64_t>(last, object.size() - 1);
    if (fault == S3Fault::wrong_range && last > first) --last;
    answer.status = 206;
    answer.body.assign(object.begin() + static_cast<std::ptrdiff_t>(first),
                       object.begin() + static_cast<std::ptrdiff_t>(last + 1));
    answer.headers.emplace_back("content-range", fmt::format("bytes {}-{}/{}", first, last, object.size()));
  }
  answer.headers.emplace_back("content-length", std::to_string(answer.body.size()));
  return answer;
}

HttpAnswer SimS3::list(const Parsed& request, std::optional<S3Fault> fault) const {
  if (value_of(request.query, "list-type") != "2") return error(400, "InvalidArgument");
  for (const auto& [name, value] : request.query) {
    if (name != "list-type" && name != "prefix" && name != "continuation-token")
      return error(400, "InvalidArgument");
  }
  const std::string prefix = value_of(request.query, "prefix"),
                    after = value_of(request.query, "continuation-token");
  std::vector<std::pair<std::string, std::size_t>> all;
  for (const auto& [key, versions] : objects_) {
    if (key.starts_with(prefix) && versions.back().bytes)
      all.emplace_back(key, versions.back().bytes->size());
  }
  std::size_t at = 0;
  while (at < all.size() && !after.empty() && all[at].first <= after.substr(6)) ++at;
  const bool doubled = fault == S3Fault::doubled_listing;
  std::size_t end = std::min(all.size(), at + rules_.page_names);
  if (doubled) at -= std::min(at, rules_.page_names);
  std::string contents;
  for (std::size_t i = at; i < end; ++i) {
    const std::string one =
        fmt::format("<Contents><Key>{}</Key><Size>{}</Size></Contents>", all[i].first, all[i].second);
    contents += doubled ? one + one : one;
  }
  const bool more = end < all.size();
  const std::string last = end > 0 ? all[end - 1].first : "";
  return xml(
      200,
      fmt::format("<ListBucketResult><IsTruncated>{}</IsTruncated>{}{}</ListBucketResult>", more,
                  more ? fmt::format("<NextContinuationToken>token-{}</NextContinuationToken>", last) : "",
                  contents));
}

}  // namespace holdfast::testing
