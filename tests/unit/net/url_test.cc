#include "net/url.h"

#include <gtest/gtest.h>

namespace holdfast::net {

TEST(Url, IsReadAndWritten) {
  const Url plain = parse_url("https://s3.example.org").value();
  EXPECT_EQ(plain.host, "s3.example.org");
  EXPECT_EQ(plain.path, "");
  EXPECT_EQ(plain.origin(), "https://s3.example.org");
  const Url port = parse_url("http://localhost:9000/bucket/a/").value();
  EXPECT_EQ(port.port, 9000);
  EXPECT_EQ(port.authority(), "localhost:9000");
  EXPECT_EQ(port.path, "/bucket/a/");
  const Url six = parse_url("https://[::1]:8443/x").value();
  EXPECT_EQ(six.host, "[::1]");
  EXPECT_EQ(six.port, 8443);
  EXPECT_EQ(parse_url("https://[fe80::1]/").value().authority(), "[fe80::1]");
}

TEST(Url, WhatIsNoneIsRefused) {
  for (const char* bad :
       {"", "host", "ftp://host", "https://", "https:///path", "https://a b/", "https://host:0",
        "https://host:65536", "https://host:x", "https://host:", "https://user@host/", "https://host/?q",
        "https://host/#f", "https://[::1", "https://ho\nst"}) {
    const auto url = parse_url(bad);
    ASSERT_FALSE(url.ok()) << bad;
    EXPECT_EQ(url.error().kind(), Errc::usage);
  }
}

TEST(Url, EscapesAllButTheUnreserved) {
  EXPECT_EQ(escape("aZ09-._~"), "aZ09-._~");
  EXPECT_EQ(escape("a/b c+\xc3\xa4%"), "a%2Fb%20c%2B%C3%A4%25");
  EXPECT_EQ(escape("a/b c", Slash::keep), "a/b%20c");
}

}  // namespace holdfast::net
