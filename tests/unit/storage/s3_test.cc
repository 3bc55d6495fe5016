// S3: addresses, servers that ignore what keeps objects from being overwritten, regions, credentials that run
// out, answers that lie.
#include "storage/s3.h"

#include <gtest/gtest.h>

#include "storage/posix_disk.h"
#include "tests/support/fake_clock.h"
#include "tests/support/scratch_dir.h"
#include "tests/support/seeded_random.h"
#include "tests/support/sim_s3.h"

namespace holdfast::storage {

namespace {

using testing::S3Fault;
using testing::S3Rules;
using testing::SimS3;

struct Where {
  std::string origin, bucket, prefix;
  bool in_host = false;
  bool operator==(const Where&) const = default;
};

Where where(std::string_view text, BucketIn bucket_in = BucketIn::host_at_aws,
            const std::string& region = "") {
  const auto location = parse_s3_location(text, region, bucket_in);
  EXPECT_TRUE(location.ok()) << location.error().text();
  const S3Location& at = location.value();
  return {at.server.origin(), at.bucket, at.prefix, at.in_host};
}

class S3 : public ::testing::Test {
 protected:
  std::unique_ptr<Storage> open(const std::string& location = "s3:http://127.0.0.1:9000/bucket/pre/fix",
                                const std::string& region = "") {
    return open_at(server_, location, region);
  }
  std::unique_ptr<Storage> open_at(SimS3& server, const std::string& location, const std::string& region) {
    const auto variables = [this](std::string_view name) -> std::optional<std::string> {
      const auto at = variables_.find(name);
      return at == variables_.end() ? std::nullopt : std::optional(at->second);
    };
    const std::shared_ptr<net::Http> http = server.http();
    const auto credentials = std::make_shared<S3CredentialSource>(http, clock_, variables);
    return open_s3(parse_s3_location(location, region, BucketIn::path).value(), region,
                   {http, credentials, clock_, random_, disk_, scratch_.path()}, {.budget_ns = 1});
  }

  testing::FakeClock clock_;
  testing::SeededRandom random_{1};
  testing::ScratchDir scratch_;
  PosixDisk disk_;
  std::map<std::string, std::string, std::less<>> variables_{{"AWS_ACCESS_KEY_ID", "AKSIM"},
                                                             {"AWS_SECRET_ACCESS_KEY", "SKSIM"}};
  SimS3 server_{clock_, {}};
};

}  // namespace

TEST(S3Location, IsWrittenAsUsersWriteIt) {
  EXPECT_EQ(where("s3:https://host.org/bucket/a/b/"), (Where{"https://host.org", "bucket", "a/b/", false}));
  EXPECT_EQ(where("s3:http://localhost:9000/bucket"), (Where{"http://localhost:9000", "bucket", "", false}));
  EXPECT_EQ(where("s3:s3.amazonaws.com/bucket/p"), (Where{"https://s3.amazonaws.com", "bucket", "p/", true}));
  EXPECT_EQ(where("s3://host.org/bucket/p"), (Where{"https://host.org", "bucket", "p/", false}));
  EXPECT_EQ(where("s3://bucket/p", BucketIn::host_at_aws, "eu-west-1"),
            (Where{"https://s3.eu-west-1.amazonaws.com", "bucket", "p/", true}));
  EXPECT_FALSE(where("s3:s3.amazonaws.com/my.bucket").in_host) << "no certificate fits that name";
  EXPECT_TRUE(where("s3:https://host.org/bucket", BucketIn::host).in_host);
  EXPECT_FALSE(where("s3:s3.amazonaws.com/bucket", BucketIn::path).in_host);
  for (const char* bad : {"s3:", "s3:https://host.org", "s3:https://host.org/", "s3:ftp://host/bucket",
                          "s3:https://host.org/bucket/a//b", "s3://", "https://host.org/bucket"}) {
    const auto location = parse_s3_location(bad, "", BucketIn::path);
    ASSERT_FALSE(location.ok()) << bad;
    EXPECT_EQ(location.error().kind(), Errc::usage) << bad;
  }
}

TEST_F(S3, NamesLieBelowThePrefix) {
  const auto store = open();
  ASSERT_TRUE(store->put("d/01/x", as_bytes("one"), {}).ok());
  EXPECT_EQ(server_.objects().count("pre/fix/d/01/x"), 1u);
  EXPECT_EQ(store->describe(), "s3:http://127.0.0.1:9000/bucket/pre/fix/");
}

TEST_F(S3, AServerThatLetsObjectsBeOverwrittenIsFoundOutByTheFirstPut) {
  SimS3 careless(clock_, S3Rules{.honours_if_none_match = false});
  const auto store = open_at(careless, "s3:http://h/bucket", "");
  for (int i = 0; i < 2; ++i) {
    const auto put = store->put("x", as_bytes("one"), {});
    ASSERT_FALSE(put.ok());
    EXPECT_EQ(put.error().kind(), Errc::unsupported);
    EXPECT_NE(put.error().text().find("If-None-Match"), std::string::npos);
  }
  EXPECT_EQ(as_text(careless.objects().at("x")), "one") << "asking has altered nothing";
}

TEST_F(S3, OnlyTheFirstPutIsMadeTwice) {
  const auto store = open("s3:http://h/bucket", "eu-north-7");
  ASSERT_TRUE(store->put("a", as_bytes("1"), {}).ok());
  const std::uint64_t before = server_.faults().operations();
  ASSERT_TRUE(store->put("b", as_bytes("2"), {}).ok());
  EXPECT_EQ(server_.faults().operations(), before + 1);
}

TEST_F(S3, TheRegionIsLearnedOnce) {
  const auto store = open();
  ASSERT_TRUE(store->put("a", as_bytes("1"), {}).ok());
  const std::uint64_t before = server_.faults().operations();
  ASSERT_TRUE(store->get("a", {}, {}).ok());
  EXPECT_EQ(server_.faults().operations(), before + 1);
}

TEST_F(S3, CredentialsThatRanOutAreGotAnewOnce) {
  const auto store = open("s3:http://h/bucket", "eu-north-7");
  server_.faults().at(1, S3Fault::expired_token);
  EXPECT_TRUE(store->put("a", as_bytes("1"), {}).ok());
  server_.faults().at(1, S3Fault::expired_token);
  server_.faults().at(2, S3Fault::expired_token);
  const auto put = store->put("b", as_bytes("1"), {});
  ASSERT_FALSE(put.ok());
  EXPECT_EQ(put.error().kind(), Errc::denied);
}

TEST_F(S3, WrongKeysAreTold) {
  variables_["AWS_SECRET_ACCESS_KEY"] = "other";
  const auto put = open("s3:http://h/bucket", "eu-north-7")->put("a", as_bytes("1"), {});
  ASSERT_FALSE(put.ok());
  EXPECT_EQ(put.error().kind(), Errc::denied);
  EXPECT_NE(put.error().hint().find("AWS_SECRET_ACCESS_KEY"), std::string::npos);
  EXPECT_TRUE(server_.objects().empty());
}

TEST_F(S3, AClockThatIsWrongIsTold) {
  testing::FakeClock late;
  late.advance_ns(3'600'000'000'000);
  SimS3 server(late, {});
  const auto skewed = open_at(server, "s3:http://h/bucket", "eu-north-7");
  const auto got = skewed->get("a", {}, {});
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.error().kind(), Errc::denied);
  EXPECT_NE(got.error().hint().find("clock"), std::string::npos);
}

TEST_F(S3, ABucketThatIsMissingIsTold) {
  const auto store = open("s3:http://h/other", "eu-north-7");
  const auto put = store->put("a", as_bytes("1"), {});
  ASSERT_FALSE(put.ok());
  EXPECT_EQ(put.error().kind(), Errc::no_repository);
  EXPECT_NE(put.error().hint().find("bucket"), std::string::npos);
}

// A thief of a key that may write, or a rule of the bucket.
TEST_F(S3, WhereVersionsAreKeptNobodyCanOverwriteOrDelete) {
  SimS3 keeping(clock_, S3Rules{.honours_if_none_match = false, .versioned = true});
  const auto client = [&] { return open_at(keeping, "s3:http://h/bucket/p", "eu-north-7"); };
  ASSERT_TRUE(client()->put("x", as_bytes("one"), {}).ok());
  ASSERT_TRUE(client()->put("y", as_bytes("other"), {}).ok());
  keeping.overwrite("p/x", Buffer{'t', 'w', 'o', '!'});
  keeping.erase("p/y");
  EXPECT_EQ(as_text(keeping.objects().at("p/x")), "two!");
  const auto store = client();
  EXPECT_EQ(as_text(store->get("x", {}, {}).value()), "one");
  EXPECT_EQ(as_text(store->get("x", {1, 2}, {}).value()), "ne");
  EXPECT_EQ(store->stat("x", {}).value().size_bytes, 3u);
  EXPECT_EQ(as_text(store->get("y", {}, {}).value()), "other");
  EXPECT_EQ(store->put("y", as_bytes("new"), {}).error().kind(), Errc::exists);
  std::map<std::string, std::uint64_t> seen;
  ASSERT_TRUE(store
                  ->list("",
                         [&](const ObjectInfo& o) -> Result<void> {
                           return seen[o.name] = o.size_bytes, Result<void>();
                         },
                         {})
                  .ok());
  EXPECT_EQ(seen, (std::map<std::string, std::uint64_t>{{"x", 3}, {"y", 5}}));
  ASSERT_TRUE(store->remove("x", {}).ok());
  EXPECT_EQ(client()->get("x", {}, {}).error().kind(), Errc::not_found);
  ASSERT_TRUE(client()->put("x", as_bytes("again"), {}).ok());
}

// One after the other at every request of an operation: what is not certain is unreachable, never something
// else.
TEST_F(S3, WhateverFailsIsUnreachableAndTheNextTryIsRight) {
  const std::vector<S3Fault> all{S3Fault::slow_down,   S3Fault::internal_error, S3Fault::bad_gateway,
                                 S3Fault::lost_before, S3Fault::lost_after,     S3Fault::late_error,
                                 S3Fault::torn_body,   S3Fault::cut_answer,     S3Fault::wrong_range};
  const auto store = open("s3:http://h/bucket", "eu-north-7");
  const std::string text(1000, 'x');
  ASSERT_TRUE(store->put("there", as_bytes(text), {}).ok());
  for (const S3Fault fault : all) {
    SCOPED_TRACE(static_cast<int>(fault));
    const auto check = [](const Error& error) { EXPECT_EQ(error.kind(), Errc::unreachable) << error.text(); };
    const std::string name = fmt::format("new-{}", static_cast<int>(fault));
    server_.faults().at(1, fault);
    const auto put = store->put(name, as_bytes(text), {});
    if (!put.ok()) check(put.error());
    const auto again = store->put(name, as_bytes(text), {});
    EXPECT_TRUE(again.ok() || again.error().kind() == Errc::exists) << again.error().text();
    server_.faults().at(1, fault);
    const auto whole = store->get("there", {}, {});
    if (whole.ok())
      EXPECT_EQ(as_text(whole.value()), text);
    else
      check(whole.error());
    server_.faults().at(1, fault);
    const auto part = store->get("there", {10, 20}, {});
    if (part.ok())
      EXPECT_EQ(as_text(part.value()), text.substr(10, 20));
    else
      check(part.error());
    server_.faults().at(1, fault);
    const auto info = store->stat("there", {});
    if (info.ok())
      EXPECT_EQ(info.value().size_bytes, text.size());
    else
      check(info.error());
    server_.faults().at(1, fault);
    std::size_t seen = 0;
    const auto listed =
        store->list("there", [&](const ObjectInfo&) -> Result<void> { return ++seen, Result<void>(); }, {});
    if (listed.ok())
      EXPECT_EQ(seen, 1u);
    else
      check(listed.error());
    server_.faults().at(1, fault);
    const auto removed = store->remove(name, {});
    if (!removed.ok()) check(removed.error());
    EXPECT_TRUE(store->remove(name, {}).ok());
    EXPECT_FALSE(store->stat(name, {}).ok());
  }
}

}  // namespace holdfast::storage
