// Where credentials come from, in which order, and when they are got anew.
#include "storage/s3_credentials.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/fake_clock.h"
#include "tests/support/scratch_dir.h"

namespace holdfast::storage {

namespace {

// Answers by URL; what it does not know is not there.
class FakeHttp final : public net::Http {
 public:
  Result<net::HttpAnswer> send(const net::HttpRequest& request, std::stop_token) override {
    asked.push_back(request.method + " " + request.url);
    last_headers = request.headers;
    if (away) return Error(Errc::unreachable, "no route to host");
    const auto at = answers.find(request.method + " " + request.url);
    if (at == answers.end()) return net::HttpAnswer{404, {}, {}};
    return net::HttpAnswer{200, {}, Buffer(at->second.begin(), at->second.end())};
  }
  std::map<std::string, std::string> answers;
  std::vector<std::string> asked;
  net::HttpHeaders last_headers;
  bool away = false;
};

std::string temporary(const std::string& key, const std::string& until) {
  return fmt::format(R"({{"AccessKeyId":"{}","SecretAccessKey":"S","Token":"T","Expiration":"{}"}})", key,
                     until);
}

class Credentials : public ::testing::Test {
 protected:
  Credentials() { variables_["HOME"] = scratch_.path(); }
  S3CredentialSource source() {
    return S3CredentialSource(http_, clock_, [this](std::string_view name) {
      const auto at = variables_.find(name);
      return at == variables_.end() ? std::nullopt : std::optional(at->second);
    });
  }
  std::string key() {
    auto from = source();
    const auto got = from.get({});
    return got.ok() ? got.value().access_key : std::string(word(got.error().kind()));
  }
  void instance_role(const std::string& until) {
    const std::string at = "http://169.254.169.254/latest/";
    http_->answers["PUT " + at + "api/token"] = "session";
    http_->answers["GET " + at + "meta-data/iam/security-credentials/"] = "the role\n";
    http_->answers["GET " + at + "meta-data/iam/security-credentials/the%20role"] = temporary("ROLE", until);
  }

  testing::ScratchDir scratch_;
  testing::FakeClock clock_;  // begins at 2023-11-14T22:13:20Z
  std::shared_ptr<FakeHttp> http_ = std::make_shared<FakeHttp>();
  std::map<std::string, std::string, std::less<>> variables_;
};

}  // namespace

TEST(S3Profile, IsReadAsAwsWritesIt) {
  const std::string keys =
      "[default]\naws_access_key_id = A\naws_secret_access_key=B\n\n# no\n[ work ]\r\naws_access_key_id=C\r\n"
      "aws_secret_access_key=D=\r\naws_session_token = E\r\n";
  const std::string config =
      "[default]\nregion = eu-west-1\ns3 =\n  region = nested\n[profile work]\nregion=us-west-2\n";
  const S3Profile plain = profile_of(keys, config, "default");
  ASSERT_TRUE(plain.credentials);
  EXPECT_EQ(plain.credentials->access_key, "A");
  EXPECT_EQ(plain.credentials->secret_key, "B");
  EXPECT_EQ(plain.region, "eu-west-1");
  const S3Profile work = profile_of(keys, config, "work");
  ASSERT_TRUE(work.credentials);
  EXPECT_EQ(work.credentials->secret_key, "D=");
  EXPECT_EQ(work.credentials->session_token, "E");
  EXPECT_EQ(work.region, "us-west-2");
  EXPECT_FALSE(profile_of(keys, config, "other").credentials);
  EXPECT_TRUE(
      profile_of("", "[default]\naws_access_key_id=A\naws_secret_access_key=B\n", "default").credentials);
  EXPECT_FALSE(profile_of("[default]\naws_access_key_id=A\n", "", "default").credentials);
}

TEST_F(Credentials, TheEnvironmentGoesBeforeAProfileBeforeARole) {
  instance_role("2030-01-01T00:00:00Z");
  EXPECT_EQ(key(), "ROLE");
  std::filesystem::create_directory(scratch_.path() + "/.aws");
  std::ofstream(scratch_.path() + "/.aws/credentials")
      << "[default]\naws_access_key_id=FILE\naws_secret_access_key=x\n"
         "[other]\naws_access_key_id=OTHER\naws_secret_access_key=x\n";
  EXPECT_EQ(key(), "FILE");
  variables_["AWS_PROFILE"] = "other";
  EXPECT_EQ(key(), "OTHER");
  variables_["AWS_PROFILE"] = "missing";
  EXPECT_EQ(key(), "permission denied");
  variables_["AWS_ACCESS_KEY_ID"] = "ENV";
  EXPECT_EQ(key(), "usage") << "half of it";
  variables_["AWS_SECRET_ACCESS_KEY"] = "x";
  EXPECT_EQ(key(), "ENV");
}

TEST_F(Credentials, AContainersServiceIsAskedWithItsToken) {
  instance_role("2030-01-01T00:00:00Z");
  variables_["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://127.0.0.1:1234/creds";
  variables_["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "secret";
  http_->answers["GET http://127.0.0.1:1234/creds"] = temporary("POD", "2030-01-01T00:00:00Z");
  EXPECT_EQ(key(), "POD");
  EXPECT_EQ(http_->last_headers, (net::HttpHeaders{{"authorization", "secret"}}));
  http_->answers.erase("GET http://127.0.0.1:1234/creds");
  EXPECT_EQ(key(), "permission denied") << "told to ask there, nobody else is asked";
}

TEST_F(Credentials, ARoleIsAskedForByATokenAndAgainBeforeItEnds) {
  instance_role("2023-11-14T23:13:20Z");  // in an hour
  auto from = source();
  ASSERT_TRUE(from.get({}).ok());
  EXPECT_EQ(http_->last_headers, (net::HttpHeaders{{"x-aws-ec2-metadata-token", "session"}}));
  const std::size_t asked = http_->asked.size();
  clock_.advance_ns(std::int64_t{54} * 60 * 1'000'000'000);
  ASSERT_TRUE(from.get({}).ok());
  EXPECT_EQ(http_->asked.size(), asked) << "six minutes left";
  clock_.advance_ns(std::int64_t{2} * 60 * 1'000'000'000);
  instance_role("2023-11-15T05:00:00Z");
  EXPECT_EQ(from.get({}).value().session_token, "T");
  EXPECT_GT(http_->asked.size(), asked);
}

TEST_F(Credentials, WhatIsStillGoodDoesWhileTheServiceIsAway) {
  instance_role("2023-11-14T23:13:20Z");
  auto from = source();
  ASSERT_TRUE(from.get({}).ok());
  http_->away = true;
  clock_.advance_ns(std::int64_t{58} * 60 * 1'000'000'000);
  EXPECT_TRUE(from.get({}).ok()) << "two minutes left";
  clock_.advance_ns(std::int64_t{3} * 60 * 1'000'000'000);
  EXPECT_FALSE(from.get({}).ok());
}

TEST_F(Credentials, WhereThereAreNoneItSaysWhatToDo) {
  http_->away = true;
  auto from = source();
  const auto none = from.get({});
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().kind(), Errc::denied);
  EXPECT_NE(none.error().hint().find("AWS_ACCESS_KEY_ID"), std::string::npos);
  variables_["AWS_EC2_METADATA_DISABLED"] = "true";
  http_->asked.clear();
  EXPECT_FALSE(source().get({}).ok());
  EXPECT_TRUE(http_->asked.empty());
}

TEST_F(Credentials, TheRegionIsNamedByTheEnvironmentOrTheProfile) {
  EXPECT_EQ(source().region().value(), "");
  std::filesystem::create_directory(scratch_.path() + "/.aws");
  std::ofstream(scratch_.path() + "/.aws/config") << "[default]\nregion=from-file\n";
  EXPECT_EQ(source().region().value(), "from-file");
  variables_["AWS_DEFAULT_REGION"] = "by-default";
  EXPECT_EQ(source().region().value(), "by-default");
  variables_["AWS_REGION"] = "wanted";
  EXPECT_EQ(source().region().value(), "wanted");
}

}  // namespace holdfast::storage
