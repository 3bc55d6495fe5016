#include "net/url.h"

#include <charconv>

namespace holdfast::net {

namespace {

Error not_a_url(std::string_view text, std::string_view why) {
  return Error(Errc::usage, fmt::format("'{}' is not an address of a web server: {}", text, why))
      .hint("it looks like https://host or https://host:port");
}

bool letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_host(std::string_view host) {
  const bool bracketed = host.starts_with('[');
  if (bracketed) {
    if (!host.ends_with(']')) return false;
    host = host.substr(1, host.size() - 2);
  }
  const std::string_view others = bracketed ? ":." : "-._";
  return !host.empty() && std::all_of(host.begin(), host.end(), [&](char c) {
    return letter_or_digit(c) || others.find(c) != others.npos;
  });
}

}  // namespace

std::string Url::authority() const { return port == 0 ? host : fmt::format("{}:{}", host, port); }

std::string Url::origin() const { return fmt::format("{}://{}", scheme, authority()); }

Result<Url> parse_url(std::string_view text) {
  Url url;
  const std::size_t colon = text.find("://");
  if (colon == text.npos) return not_a_url(text, "it has no scheme");
  url.scheme = text.substr(0, colon);
  if (url.scheme != "http" && url.scheme != "https") return not_a_url(text, "not http or https");
  std::string_view rest = text.substr(colon + 3);
  if (rest.find_first_of("?#@ \\") != rest.npos) return not_a_url(text, "there is one of ? # @ \\ in it");
  const std::size_t slash = rest.find('/');
  if (slash != rest.npos) {
    url.path = rest.substr(slash);
    rest = rest.substr(0, slash);
  }
  const std::size_t bracket = rest.rfind(']');
  const std::size_t at = rest.find(':', bracket == rest.npos ? 0 : bracket);
  if (at != rest.npos) {
    const std::string_view digits = rest.substr(at + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), url.port);
    if (error != std::errc() || end != digits.data() + digits.size() || url.port == 0)
      return not_a_url(text, "its port is no number from 1 to 65535");
    rest = rest.substr(0, at);
  }
  if (!is_host(rest)) return not_a_url(text, "it names no host");
  url.host = rest;
  return url;
}

std::string escape(std::string_view text, Slash slash) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (letter_or_digit(c) || c == '-' || c == '.' || c == '_' || c == '~' ||
        (c == '/' && slash == Slash::keep)) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

}  // namespace holdfast::net
