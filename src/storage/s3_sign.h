// Signatures of requests to S3: AWS Signature Version 4 in headers
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html). Pure.
#pragma once

#include "net/http.h"

namespace holdfast::storage {

struct S3Credentials {
  std::string access_key, secret_key;
  std::string session_token;    // "" but for temporary ones
  std::int64_t expires_ns = 0;  // since 1970; 0: never
};

// What a signature is made of. `path` and `query` as they go on the wire; names and values of `query`
// escaped.
struct S3Signing {
  std::string region, service = "s3";
  std::int64_t now_ns = 0;
  std::string host;  // as in the Host header
  std::string path;
  std::vector<std::pair<std::string, std::string>> query;
  std::string payload_sha256;  // hex
};

// The canonical request and the string that is signed, of every header in `headers` and host.
std::string canonical_request(std::string_view method, const S3Signing& signing,
                              const net::HttpHeaders& headers);
std::string string_to_sign(const S3Signing& signing, std::string_view canonical);

// Adds x-amz-date, x-amz-security-token where there is one, and authorization, which signs all that there
// are.
void sign(std::string_view method, const S3Signing& signing, const S3Credentials& credentials,
          net::HttpHeaders& headers);

// "20150830T123600Z"
std::string amz_date(std::int64_t now_ns);

}  // namespace holdfast::storage
