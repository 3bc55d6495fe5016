#include "storage/s3_credentials.h"

#include <ctime>

#include <nlohmann/json.hpp>

#include "base/small_file.h"
#include "net/url.h"

namespace holdfast::storage {

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
// New ones are got so long before the old ones end; AWS offers them five minutes before.
constexpr std::int64_t kAheadNs = 300 * kSecond;
constexpr std::uint64_t kFileBytesMax = kMiB;
constexpr const char* kInstanceService = "http://169.254.169.254";
constexpr const char* kContainerService = "http://169.254.170.2";

using net::trimmed;
using Section = std::map<std::string, std::string, std::less<>>;

// What stands under [name] in a file of AWS's kind.
Section section_of(std::string_view text, std::string_view name) {
  Section out;
  bool inside = false;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text = end == text.npos ? "" : text.substr(end + 1);
    const std::string_view word = trimmed(line);
    if (word.empty() || word.front() == '#' || word.front() == ';') continue;
    if (word.front() == '[') {
      inside = word.back() == ']' && trimmed(word.substr(1, word.size() - 2)) == name;
      continue;
    }
    const std::size_t equals = word.find('=');
    // A line that is indented belongs to the setting above it.
    if (!inside || equals == word.npos || line.front() == ' ' || line.front() == '\t') continue;
    out[std::string(trimmed(word.substr(0, equals)))] = trimmed(word.substr(equals + 1));
  }
  return out;
}

std::string value_of(const Section& section, std::string_view name) {
  const auto at = section.find(name);
  return at == section.end() ? "" : at->second;
}

// "2026-11-28T15:00:00Z"
std::int64_t parse_time(const std::string& text) {
  std::tm parts{};
  if (::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts) == nullptr) return 0;
  return std::int64_t{::timegm(&parts)} * kSecond;
}

// The document that container and instance services answer with.
Result<S3Credentials> parse_temporary(Bytes body, std::string_view whom) {
  const nlohmann::json document =
      nlohmann::json::parse(body.begin(), body.end(), nullptr, /*exceptions=*/false);
  const auto text = [&](const char* name) {
    const auto at = document.is_object() ? document.find(name) : document.end();
    return at != document.end() && at->is_string() ? at->get<std::string>() : std::string();
  };
  S3Credentials out{text("AccessKeyId"), text("SecretAccessKey"), text("Token"),
                    parse_time(text("Expiration"))};
  if (!out.access_key.empty() && !out.secret_key.empty()) return out;
  return Error(Errc::denied, fmt::format("{} gives no credentials: {}", whom, text("Message")));
}

Result<std::string> text_of(const std::string& path) {
  const auto bytes = TRY(read_small_file(path, kFileBytesMax));
  return std::string(bytes ? as_text(*bytes) : "");
}

}  // namespace

S3Profile profile_of(std::string_view credentials_file, std::string_view config_file, std::string_view name) {
  const Section config =
      section_of(config_file, name == "default" ? std::string(name) : fmt::format("profile {}", name));
  Section keys = section_of(credentials_file, name);
  S3Profile out;
  out.region = value_of(config, "region");
  if (out.region.empty()) out.region = value_of(keys, "region");
  if (!keys.contains("aws_access_key_id")) keys = config;
  S3Credentials found{value_of(keys, "aws_access_key_id"), value_of(keys, "aws_secret_access_key"),
                      value_of(keys, "aws_session_token"), 0};
  if (!found.access_key.empty() && !found.secret_key.empty()) out.credentials = std::move(found);
  return out;
}

S3CredentialSource::S3CredentialSource(std::shared_ptr<net::Http> http, Clock& clock, Variables variables)
    : http_(std::move(http)), clock_(clock), variables_(std::move(variables)) {}

Result<S3Credentials> S3CredentialSource::get(std::stop_token stop) {
  const std::lock_guard lock(mutex_);
  const bool over = known_ && known_->expires_ns != 0 && known_->expires_ns - kAheadNs < clock_.now_ns();
  if (!known_ || over) {
    auto fresh = find(stop);
    // Old ones may still do while the service that gives them is away.
    const bool usable = over && known_->expires_ns > clock_.now_ns();
    if (!fresh.ok() && !usable) return std::move(fresh).error();
    if (fresh.ok()) known_ = std::move(fresh).value();
  }
  return *known_;
}

void S3CredentialSource::expired() {
  const std::lock_guard lock(mutex_);
  known_.reset();
}

Result<std::string> S3CredentialSource::region() {
  for (const char* name : {"AWS_REGION", "AWS_DEFAULT_REGION"}) {
    if (const auto region = variables_(name)) return *region;
  }
  const S3Profile named = TRY(profile());
  return named.region;
}

Result<S3Profile> S3CredentialSource::profile() {
  const std::string home = variables_("HOME").value_or("");
  const std::string keys = variables_("AWS_SHARED_CREDENTIALS_FILE").value_or(home + "/.aws/credentials");
  const std::string config = variables_("AWS_CONFIG_FILE").value_or(home + "/.aws/config");
  const std::string keys_text = TRY(text_of(keys));
  const std::string config_text = TRY(text_of(config));
  return profile_of(keys_text, config_text, variables_("AWS_PROFILE").value_or("default"));
}

Result<S3Credentials> S3CredentialSource::find(const std::stop_token& stop) {
  const auto key = variables_("AWS_ACCESS_KEY_ID"), secret = variables_("AWS_SECRET_ACCESS_KEY");
  if (key && secret) return S3Credentials{*key, *secret, variables_("AWS_SESSION_TOKEN").value_or(""), 0};
  if (key || secret) {
    return Error(Errc::usage, "only one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set")
        .hint("set both, or none to use a profile or the instance's role");
  }
  S3Profile named = TRY(profile());
  if (named.credentials) return *std::move(named.credentials);
  if (const auto wanted = variables_("AWS_PROFILE")) {
    return Error(Errc::denied, fmt::format("the profile '{}' has no credentials", *wanted))
        .hint("check AWS_PROFILE and ~/.aws/credentials");
  }
  auto temporary = TRY(from_container(stop));
  if (!temporary) temporary = TRY(from_instance(stop));
  if (temporary) return *std::move(temporary);
  return Error(Errc::denied, "no credentials for S3 were found")
      .hint("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give this machine a role");
}

Result<Buffer> S3CredentialSource::ask(const net::HttpRequest& request, std::string_view whom,
                                       const std::stop_token& stop) {
  net::HttpAnswer answer = TRY_AS(http_->send(request, stop), std::string(whom));
  if (answer.status == 200) return std::move(answer.body);
  const Errc kind = answer.status >= 500 || answer.status == 429 ? Errc::unreachable : Errc::denied;
  return Error(kind, fmt::format("{} answers {}", whom, answer.status));
}

// https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
Result<std::optional<S3Credentials>> S3CredentialSource::from_container(const std::stop_token& stop) {
  const auto relative = variables_("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
  const auto full = variables_("AWS_CONTAINER_CREDENTIALS_FULL_URI");
  if (!relative && !full) return std::optional<S3Credentials>();
  net::HttpRequest request{"GET", relative ? kContainerService + *relative : *full, {}, {}};
  std::string token = variables_("AWS_CONTAINER_AUTHORIZATION_TOKEN").value_or("");
  if (const auto file = variables_("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")) {
    token = TRY(text_of(*file));
    token = trimmed(token.substr(0, token.find('\n')));
  }
  if (!token.empty()) request.headers.emplace_back("authorization", token);
  constexpr const char* kWhom = "the container's credential service";
  const Buffer body = TRY(ask(request, kWhom, stop));
  S3Credentials found = TRY(parse_temporary(body, kWhom));
  return std::optional(std::move(found));
}

// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html. Elsewhere
// than in a cloud nobody answers at that address: that means that there is no role.
Result<std::optional<S3Credentials>> S3CredentialSource::from_instance(const std::stop_token& stop) {
  if (variables_("AWS_EC2_METADATA_DISABLED").value_or("") == "true") return std::optional<S3Credentials>();
  const std::string service = variables_("AWS_EC2_METADATA_SERVICE_ENDPOINT").value_or(kInstanceService);
  constexpr const char* kWhom = "the instance's metadata service";
  const net::HttpRequest hello{
      "PUT", service + "/latest/api/token", {{"x-aws-ec2-metadata-token-ttl-seconds", "21600"}}, {}};
  const auto token = ask(hello, kWhom, stop);
  if (!token.ok()) {
    if (token.error().kind() == Errc::stopped) return token.error().copy();
    return std::optional<S3Credentials>();
  }
  const net::HttpHeaders headers{{"x-aws-ec2-metadata-token", std::string(as_text(token.value()))}};
  const std::string roles = service + "/latest/meta-data/iam/security-credentials/";
  const Buffer role = TRY(ask({"GET", roles, headers, {}}, kWhom, stop));
  const std::string name(trimmed(as_text(role).substr(0, as_text(role).find('\n'))));
  const Buffer body = TRY(ask({"GET", roles + net::escape(name), headers, {}}, kWhom, stop));
  S3Credentials found = TRY(parse_temporary(body, kWhom));
  return std::optional(std::move(found));
}

}  // namespace holdfast::storage
