// CurlHttp: Http by libcurl. Connections are kept and used again, one for each request under way.
#pragma once

#include <memory>

#include "net/http.h"

namespace holdfast::net {

struct HttpOptions {
  std::string ca_file;  // PEM; "": the system's certificates
  std::string user_agent = "holdfast";
  int connect_seconds = 15;
  // So long without a byte in either direction ends a request.
  int stall_seconds = 60;
};

std::unique_ptr<Http> make_curl_http(HttpOptions options);

}  // namespace holdfast::net
