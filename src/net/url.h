// Where a server is, and how names are written on the wire. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace holdfast::net {

// "https://host:8443/a/b": host may be a name, an IPv4 address, or an IPv6 address in brackets.
struct Url {
  std::string scheme;
  std::string host;
  std::uint16_t port = 0;  // 0: the scheme's own
  std::string path;        // "" or from the first '/', as it was written

  // "host" or "host:port", as in the Host header.
  std::string authority() const;
  // "scheme://authority"
  std::string origin() const;
};

// Errc::usage for whatever else than http and https, and for user names, queries and fragments.
Result<Url> parse_url(std::string_view text);

// %XX for every byte but A–Z a–z 0–9 - . _ ~ and, where told so, '/' (RFC 3986, section 2.3).
enum class Slash : unsigned char { escape, keep };
std::string escape(std::string_view text, Slash slash = Slash::escape);

}  // namespace holdfast::net
