// What S3 answers, and what it is taken for.
#include "storage/s3_reply.h"

#include <gtest/gtest.h>

namespace holdfast::storage {

namespace {

net::HttpAnswer answer(int status, std::string_view body, const char* type = "application/xml") {
  return {status, {{"content-type", type}}, Buffer(body.begin(), body.end())};
}

std::string refusal(std::string_view code) {
  return fmt::format("<?xml version=\"1.0\"?><Error><Code>{}</Code><Message>why</Message></Error>", code);
}

Errc kind(int status, std::string_view code) {
  const auto refused = refusal_of(answer(status, code.empty() ? "" : refusal(code)));
  return refused ? s3_error(*refused, "put x").kind() : Errc::partial;
}

std::string listing(std::string_view inside) {
  return fmt::format(
      "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{}</ListBucketResult>", inside);
}

Result<S3Page> parsed(std::string_view inside) { return parse_listing(as_bytes(listing(inside))); }

}  // namespace

TEST(S3Reply, ErrorsAreWhatTheyMean) {
  EXPECT_EQ(kind(404, "NoSuchKey"), Errc::not_found);
  EXPECT_EQ(kind(404, "NoSuchBucket"), Errc::no_repository);
  EXPECT_EQ(kind(404, ""), Errc::not_found);
  EXPECT_EQ(kind(412, "PreconditionFailed"), Errc::exists);
  EXPECT_EQ(kind(412, ""), Errc::exists);
  EXPECT_EQ(kind(409, "ConditionalRequestConflict"), Errc::unreachable);
  EXPECT_EQ(kind(403, "SignatureDoesNotMatch"), Errc::denied);
  EXPECT_EQ(kind(403, ""), Errc::denied);
  EXPECT_EQ(kind(400, "RequestTimeout"), Errc::unreachable);
  EXPECT_EQ(kind(400, "BadDigest"), Errc::unreachable);
  EXPECT_EQ(kind(400, "SomethingElse"), Errc::failed);
  EXPECT_EQ(kind(403, "QuotaExceeded"), Errc::no_space);
  EXPECT_EQ(kind(507, ""), Errc::no_space);
  for (const int status : {429, 500, 502, 503, 504}) EXPECT_EQ(kind(status, ""), Errc::unreachable) << status;
  EXPECT_EQ(kind(301, ""), Errc::failed);
}

TEST(S3Reply, AnErrorAfterASuccessIsNone) {
  EXPECT_EQ(kind(200, "SlowDown"), Errc::unreachable);
  EXPECT_EQ(kind(200, "InternalError"), Errc::unreachable);
  EXPECT_EQ(kind(200, "SomethingNew"), Errc::unreachable);
  EXPECT_TRUE(refusal_of(answer(200, "<Error><Code>Inter")).has_value()) << "cut short";
  EXPECT_FALSE(refusal_of(answer(200, listing(""))).has_value());
  EXPECT_FALSE(refusal_of(answer(204, "")).has_value());
  EXPECT_FALSE(refusal_of(answer(206, "<Error>", "application/octet-stream")).has_value())
      << "somebody's bytes";
}

TEST(S3Reply, WhyAndWhatToDoAreTold) {
  const auto refused = refusal_of(answer(403, refusal("RequestTimeTooSkewed")));
  const Error error = s3_error(*refused, "put t/1");
  EXPECT_EQ(error.text(), "put t/1: the store answers 403 RequestTimeTooSkewed: why");
  EXPECT_NE(error.hint().find("clock"), std::string::npos);
}

TEST(S3Reply, ListingsAreReadWholeOrNotAtAll) {
  const auto page = parsed(
      "<IsTruncated>true</IsTruncated><NextContinuationToken>a&amp;b</NextContinuationToken>"
      "<Contents><Key>p/x</Key><Size>7</Size></Contents>"
      "<Contents><Key>p/y</Key><Size>0</Size></Contents>");
  ASSERT_TRUE(page.ok()) << page.error().text();
  ASSERT_EQ(page.value().objects.size(), 2u);
  EXPECT_EQ(page.value().objects[0].name, "p/x");
  EXPECT_EQ(page.value().objects[0].size_bytes, 7u);
  EXPECT_EQ(page.value().next, "a&b");
  for (const char* bad :
       {"", "<IsTruncated>true</IsTruncated>",
        "<IsTruncated>false</IsTruncated><Contents><Key>x</Key></Contents>",
        "<IsTruncated>false</IsTruncated><Contents><Size>1</Size></Contents>",
        "<IsTruncated>false</IsTruncated><Contents><Key>x</Key><Size>-1</Size></Contents>"}) {
    const auto none = parsed(bad);
    ASSERT_FALSE(none.ok()) << bad;
    EXPECT_EQ(none.error().kind(), Errc::unreachable);
  }
  const std::string whole = listing("<IsTruncated>false</IsTruncated>");
  EXPECT_TRUE(parse_listing(as_bytes(whole)).ok());
  for (std::size_t cut = 0; cut < whole.size(); ++cut)
    EXPECT_FALSE(parse_listing(as_bytes(whole.substr(0, cut))).ok()) << cut;
  EXPECT_FALSE(parse_listing(as_bytes("<html>hello</html>")).ok());
}

}  // namespace holdfast::storage
