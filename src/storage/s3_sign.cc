#include "storage/s3_sign.h"

#include <ctime>
#include <map>

#include "crypto/sha256.h"

namespace holdfast::storage {

namespace {

constexpr const char* kAlgorithm = "AWS4-HMAC-SHA256";

// Without spaces around it, and one for each run of them.
std::string squeezed(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool space = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (!space) {
      out += c;
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  if (out.ends_with(' ')) out.pop_back();
  return out;
}

// Values of one name, in the order in which they were given.
using Canonical = std::map<std::string, std::string>;

Canonical canonical_headers(const S3Signing& signing, const net::HttpHeaders& headers) {
  Canonical out;
  out["host"] = signing.host;
  for (const auto& [name, value] : headers) {
    const auto [at, fresh] = out.try_emplace(net::lower_case(name), squeezed(value));
    if (!fresh) at->second += "," + squeezed(value);
  }
  return out;
}

std::string names_of(const Canonical& headers) {
  std::string out;
  for (const auto& [name, value] : headers) out += (out.empty() ? "" : ";") + name;
  return out;
}

std::string day_of(std::int64_t now_ns) { return amz_date(now_ns).substr(0, 8); }

std::string scope_of(const S3Signing& signing) {
  return fmt::format("{}/{}/{}/aws4_request", day_of(signing.now_ns), signing.region, signing.service);
}

std::string signature(const S3Signing& signing, std::string_view secret, std::string_view text) {
  Hash key = crypto::hmac_sha256(as_bytes(fmt::format("AWS4{}", secret)), as_bytes(day_of(signing.now_ns)));
  for (const std::string_view part : {std::string_view(signing.region), std::string_view(signing.service),
                                      std::string_view("aws4_request")})
    key = crypto::hmac_sha256(key, as_bytes(part));
  return hex(crypto::hmac_sha256(key, as_bytes(text)));
}

}  // namespace

std::string amz_date(std::int64_t now_ns) {
  const std::time_t seconds = now_ns / 1'000'000'000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string canonical_request(std::string_view method, const S3Signing& signing,
                              const net::HttpHeaders& headers) {
  const Canonical canonical = canonical_headers(signing, headers);
  auto query = signing.query;
  std::sort(query.begin(), query.end());
  std::string joined;
  for (const auto& [name, value] : query)
    joined += fmt::format("{}{}={}", joined.empty() ? "" : "&", name, value);
  std::string lines;
  for (const auto& [name, value] : canonical) lines += fmt::format("{}:{}\n", name, value);
  return fmt::format("{}\n{}\n{}\n{}\n{}\n{}", method, signing.path, joined, lines, names_of(canonical),
                     signing.payload_sha256);
}

std::string string_to_sign(const S3Signing& signing, std::string_view canonical) {
  return fmt::format("{}\n{}\n{}\n{}", kAlgorithm, amz_date(signing.now_ns), scope_of(signing),
                     hex(crypto::sha256(as_bytes(canonical))));
}

void sign(std::string_view method, const S3Signing& signing, const S3Credentials& credentials,
          net::HttpHeaders& headers) {
  headers.emplace_back("x-amz-date", amz_date(signing.now_ns));
  if (!credentials.session_token.empty())
    headers.emplace_back("x-amz-security-token", credentials.session_token);
  const std::string text = string_to_sign(signing, canonical_request(method, signing, headers));
  headers.emplace_back("authorization", fmt::format("{} Credential={}/{}, SignedHeaders={}, Signature={}",
                                                    kAlgorithm, credentials.access_key, scope_of(signing),
                                                    names_of(canonical_headers(signing, headers)),
                                                    signature(signing, credentials.secret_key, text)));
}

}  // namespace holdfast::storage
