// Http: one request and its answer, over HTTP or HTTPS. The only door to web servers: CurlHttp in the
// program, simulated servers in tests.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace holdfast::net {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

// What is sent. It may be read more than once, from any offset: connections break.
struct HttpBody {
  std::uint64_t size_bytes = 0;
  // Fills `out` from `offset`; never asked for more than there is.
  std::function<Result<void>(std::uint64_t offset, MutableBytes out)> read;
};
// `bytes` must outlive it.
HttpBody body_of(Bytes bytes);

struct HttpRequest {
  std::string method;
  std::string url;  // as it goes on the wire: escaped
  HttpHeaders headers;
  HttpBody body;
  // A longer answer is an error, so that no server can fill our memory.
  std::uint64_t answer_bytes_max = kMiB;
};

// ASCII letters made small, as names of headers are compared.
std::string lower_case(std::string_view text);
// Without blanks and ends of lines around it.
std::string_view trimmed(std::string_view text);
// A number in decimal digits and nothing else.
std::optional<std::uint64_t> parse_digits(std::string_view text);

struct HttpAnswer {
  int status = 0;
  HttpHeaders headers;  // names in lower case
  Buffer body;

  // "" where there is none; the first where there are several.
  std::string_view header(std::string_view name) const;
};

class Http {
 public:
  virtual ~Http() = default;
  // Thread-safe. Follows no redirection. An answer of whatever status is no error.
  // Errc::unreachable: no whole answer came, and what the request did is unknown. Errc::denied: the server
  // is not who it should be (its certificate). Errc::damaged: its answer is too long. Errc::stopped.
  virtual Result<HttpAnswer> send(const HttpRequest& request, std::stop_token stop) = 0;
};

}  // namespace holdfast::net
