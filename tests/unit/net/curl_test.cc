// HTTP by libcurl against servers that do as they like.
#include "net/curl.h"

#include <gtest/gtest.h>

#include "tests/support/loopback_server.h"

namespace holdfast::net {

namespace {

using testing::LoopbackServer;
using testing::read_request;
using testing::write_text;

std::string answer(const std::string& body, const std::string& more = "",
                   const std::string& status = "200 OK") {
  return fmt::format("HTTP/1.1 {}\r\nContent-Length: {}\r\n{}\r\n{}", status, body.size(), more, body);
}

// Answers every request of every connection with `text`, and keeps what was asked.
struct Replying {
  explicit Replying(std::string text)
      : server([this, reply = std::move(text)](int connection, int) {
          for (;;) {
            std::string request = read_request(connection);
            if (request.empty()) return;
            {
              const std::lock_guard lock(mutex);
              asked.push_back(std::move(request));
            }
            write_text(connection, reply);
          }
        }) {}
  std::mutex mutex;
  std::vector<std::string> asked;
  LoopbackServer server;
};

HttpRequest get(const std::string& url) { return {"GET", url, {}, {}}; }

Errc failure(const std::string& reply, std::uint64_t answer_bytes_max = kMiB) {
  LoopbackServer server([&](int connection, int) {
    read_request(connection);
    write_text(connection, reply);
  });
  const auto http = make_curl_http({});
  HttpRequest request = get(server.origin() + "/x");
  request.answer_bytes_max = answer_bytes_max;
  const auto done = http->send(request, {});
  return done.ok() ? Errc::exists : done.error().kind();
}

}  // namespace

TEST(CurlHttp, SendsWhatItIsGivenAndGivesWhatIsAnswered) {
  Replying replying(answer("hello", "X-One: a\r\nX-Two:  b c \r\n", "206 Partial Content"));
  const auto http = make_curl_http({});
  const std::string body(200'000, 'b');
  const HttpRequest request{"PUT",
                            replying.server.origin() + "/a%20b/../c?d=e",
                            {{"x-mine", "1"}, {"x-empty", ""}},
                            body_of(as_bytes(body))};
  const auto done = http->send(request, {});
  ASSERT_TRUE(done.ok()) << done.error().text();
  EXPECT_EQ(done.value().status, 206);
  EXPECT_EQ(done.value().header("x-one"), "a");
  EXPECT_EQ(done.value().header("x-two"), "b c");
  EXPECT_EQ(done.value().header("x-three"), "");
  EXPECT_EQ(as_text(done.value().body), "hello");
  const std::string& asked = replying.asked.front();
  EXPECT_TRUE(asked.starts_with("PUT /a%20b/../c?d=e HTTP/1.1\r\n")) << asked.substr(0, 100);
  EXPECT_NE(asked.find("\r\nx-mine: 1\r\n"), asked.npos);
  EXPECT_NE(asked.find("\r\nx-empty:\r\n"), asked.npos);
  EXPECT_EQ(asked.find("Expect:"), asked.npos);
  EXPECT_TRUE(asked.ends_with("\r\n\r\n" + body));
}

TEST(CurlHttp, EveryMethodHasTheBodyThatItShould) {
  Replying replying(answer(""));
  const auto http = make_curl_http({});
  for (const char* method : {"GET", "HEAD", "PUT", "POST", "DELETE"}) {
    const auto done = http->send({method, replying.server.origin() + "/", {}, {}}, {});
    ASSERT_TRUE(done.ok()) << method << ": " << done.error().text();
    EXPECT_TRUE(replying.asked.back().starts_with(std::string(method) + " / ")) << replying.asked.back();
    EXPECT_EQ(replying.asked.back().find("Content-Length: 0") != std::string::npos,
              method == std::string("PUT") || method == std::string("POST"));
  }
}

TEST(CurlHttp, AConnectionIsUsedAgain) {
  Replying replying(answer("x"));
  const auto http = make_curl_http({});
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(http->send(get(replying.server.origin() + "/"), {}).ok());
  EXPECT_EQ(replying.server.connections(), 1);
}

TEST(CurlHttp, ARedirectionIsAnAnswer) {
  Replying replying(answer("", "Location: http://127.0.0.1:1/\r\n", "307 Temporary Redirect"));
  const auto done = make_curl_http({})->send(get(replying.server.origin() + "/"), {});
  ASSERT_TRUE(done.ok());
  EXPECT_EQ(done.value().status, 307);
}

TEST(CurlHttp, WhatIsNoWholeAnswerIsUnreachable) {
  EXPECT_EQ(failure(""), Errc::unreachable);
  EXPECT_EQ(failure("HTTP/1.1 200"), Errc::unreachable);
  EXPECT_EQ(failure("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), Errc::unreachable);
  EXPECT_EQ(failure("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
            Errc::unreachable);
  EXPECT_EQ(failure("this is no HTTP at all\r\n\r\n"), Errc::unreachable);
  EXPECT_EQ(make_curl_http({})->send(get("http://127.0.0.1:1/"), {}).error().kind(), Errc::unreachable);
}

TEST(CurlHttp, AnAnswerThatIsTooLongEndsIt) {
  EXPECT_EQ(failure(answer(std::string(1001, 'x')), 1000), Errc::damaged);
  EXPECT_EQ(failure(answer(std::string(1000, 'x')), 1000), Errc::exists) << "not too long";
}

TEST(CurlHttp, AfterAFailureTheNextRequestIsWhole) {
  LoopbackServer server([](int connection, int number) {
    while (!read_request(connection).empty()) {
      write_text(connection,
                 number == 1 ? "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf" : answer("whole"));
      if (number == 1) return;
    }
  });
  const auto http = make_curl_http({});
  EXPECT_FALSE(http->send(get(server.origin() + "/"), {}).ok());
  const auto next = http->send(get(server.origin() + "/"), {});
  ASSERT_TRUE(next.ok());
  EXPECT_EQ(as_text(next.value().body), "whole");
}

TEST(CurlHttp, AStopEndsAWait) {
  std::stop_source stop;
  LoopbackServer server([&](int connection, int) {
    read_request(connection);
    stop.request_stop();
    read_request(connection);  // until the client goes
  });
  const auto done = make_curl_http({})->send(get(server.origin() + "/"), stop.get_token());
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().kind(), Errc::stopped);
}

TEST(CurlHttp, AStallEndsIt) {
  LoopbackServer server([](int connection, int) {
    read_request(connection);
    read_request(connection);
  });
  HttpOptions options;
  options.stall_seconds = 1;
  const auto done = make_curl_http(options)->send(get(server.origin() + "/"), {});
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().kind(), Errc::unreachable);
}

TEST(CurlHttp, ABodyThatCantBeReadEndsItWithItsOwnError) {
  Replying replying(answer(""));
  const HttpBody body{1000, [](std::uint64_t, MutableBytes) -> Result<void> {
                        return Error(Errc::damaged, "the scratch file is gone");
                      }};
  const auto done = make_curl_http({})->send({"PUT", replying.server.origin() + "/", {}, body}, {});
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().message(), "the scratch file is gone");
}

}  // namespace holdfast::net
