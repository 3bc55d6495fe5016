// Signature Version 4 against AWS's own test suite: the canonical request, what is signed, and the signature.
#include "storage/s3_sign.h"

#include <gtest/gtest.h>

#include <ctime>
#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

#include "crypto/sha256.h"
#include "net/url.h"

namespace holdfast::storage {

namespace {

std::string text_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in) << path;
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::array<std::uint8_t, 1> byte{};
    if (text[i] == '%' && i + 2 < text.size() && unhex(text.substr(i + 1, 2), byte)) {
      out += static_cast<char>(byte[0]);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

struct Request {
  std::string method, host, body;
  std::vector<std::pair<std::string, std::string>> query;
  net::HttpHeaders headers;
};

Request parse(const std::string& text) {
  Request out;
  const std::size_t blank = text.find("\n\n");
  if (blank != text.npos) out.body = text.substr(blank + 2);
  std::istringstream lines(text.substr(0, blank));
  std::string line;
  std::getline(lines, line);
  out.method = line.substr(0, line.find(' '));
  std::string target = line.substr(line.find(' ') + 1);
  target = target.substr(0, target.rfind(" HTTP/"));
  if (const std::size_t mark = target.find('?'); mark != target.npos) {
    std::istringstream words(target.substr(mark + 1));
    for (std::string word; std::getline(words, word, '&');) {
      const std::size_t equals = std::min(word.find('='), word.size());
      out.query.emplace_back(net::escape(unescaped(word.substr(0, equals))),
                             net::escape(unescaped(word.substr(std::min(equals + 1, word.size())))));
    }
  }
  while (std::getline(lines, line)) {
    if (line.starts_with(' ')) {
      out.headers.back().second += line;  // it continues
      continue;
    }
    const std::string name = line.substr(0, line.find(':')), value = line.substr(line.find(':') + 1);
    if (name == "Host") {
      out.host = value;
    } else {
      out.headers.emplace_back(name, value);
    }
  }
  return out;
}

std::int64_t time_of(const std::string& text) {
  std::tm parts{};
  EXPECT_NE(::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts), nullptr);
  return std::int64_t{::timegm(&parts)} * 1'000'000'000;
}

}  // namespace

TEST(S3Sign, AsAwsSaysInItsTestSuite) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(HOLDFAST_SOURCE_DIR "/tests/vectors/sigv4")) {
    const auto& folder = entry.path();
    SCOPED_TRACE(folder.filename());
    const nlohmann::json context = nlohmann::json::parse(text_of(folder / "context.json"));
    const nlohmann::json keys = context.at("credentials");
    Request request = parse(text_of(folder / "request.txt"));
    const std::string canonical = text_of(folder / "header-canonical-request.txt");
    S3Credentials credentials{keys.at("access_key_id").get<std::string>(),
                              keys.at("secret_access_key").get<std::string>(), "", 0};
    if (!context.value("omit_session_token", false)) credentials.session_token = keys.value("token", "");
    S3Signing signing{context.at("region").get<std::string>(),
                      context.at("service").get<std::string>(),
                      time_of(context.at("timestamp").get<std::string>()),
                      request.host,
                      canonical.substr(canonical.find('\n') + 1),
                      request.query,
                      hex(crypto::sha256(as_bytes(request.body)))};
    signing.path = signing.path.substr(0, signing.path.find('\n'));
    if (context.at("sign_body").get<bool>())
      request.headers.emplace_back("x-amz-content-sha256", signing.payload_sha256);
    net::HttpHeaders headers = request.headers;
    sign(request.method, signing, credentials, headers);
    const std::string authorization = headers.back().second;
    headers.pop_back();
    EXPECT_EQ(canonical_request(request.method, signing, headers), canonical);
    EXPECT_EQ(string_to_sign(signing, canonical), text_of(folder / "header-string-to-sign.txt"));
    const std::string whole = text_of(folder / "header-signed-request.txt");
    EXPECT_NE(whole.find("Authorization:" + authorization + "\n"), whole.npos) << authorization;
    ++count;
  }
  EXPECT_EQ(count, 38);
}

}  // namespace holdfast::storage
