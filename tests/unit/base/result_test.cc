// Result, TRY and the words of an Error; hex.
#include <cerrno>

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/result.h"

namespace holdfast {

namespace {

Result<int> half(int n) {
  if (n % 2 != 0) return Error(Errc::usage, "odd").hint("take another");
  return n / 2;
}
Result<int> quarter(int n) {
  const int once = TRY(half(n));
  return TRY_AS(half(once), "halving " + std::to_string(once));
}
Result<void> check_quarter(int n, int* reached) {
  TRY(quarter(n));
  ++*reached;
  return {};
}
Result<std::unique_ptr<int>> boxed(int n) {
  const int value = TRY(half(n));
  return std::make_unique<int>(value);
}

}  // namespace

TEST(Result, TryGivesTheValueOrReturnsTheErrorAtOnce) {
  EXPECT_EQ(quarter(8).value(), 2);
  int reached = 0;
  EXPECT_TRUE(check_quarter(8, &reached).ok());
  EXPECT_EQ(reached, 1);
  const auto failed = check_quarter(6, &reached);
  ASSERT_FALSE(failed.ok());
  EXPECT_FALSE(static_cast<bool>(failed));
  EXPECT_EQ(reached, 1);
  EXPECT_EQ(failed.error().kind(), Errc::usage);
  EXPECT_EQ(failed.error().text(), "halving 3: odd");
  EXPECT_EQ(*boxed(4).value(), 2);
}

TEST(Result, ContextIsPrintedOutermostFirstAndTheFirstHintStays) {
  const Error error =
      Error(Errc::damaged, "message").context("inner").hint("first").context("outer").hint("second");
  EXPECT_EQ(error.text(), "outer: inner: message");
  EXPECT_EQ(error.message(), "message");
  EXPECT_EQ(error.hint(), "first");
  EXPECT_EQ(quarter(3).error().hint(), "take another");
}

TEST(Result, ACopyOfAnErrorIsWholeAndItsOwn) {
  const Error error = Error(Errc::no_space, "full").context("writing").hint("free some");
  const Error copy = error.copy().context("more");
  EXPECT_EQ(copy.text(), "more: writing: full");
  EXPECT_EQ(copy.kind(), Errc::no_space);
  EXPECT_EQ(copy.hint(), "free some");
  EXPECT_EQ(error.text(), "writing: full");
}

TEST(ResultDeathTest, AskingForWhatIsNotThereEndsTheProcess) {
  EXPECT_DEATH(static_cast<void>(half(1).value()), "");
  EXPECT_DEATH(static_cast<void>(half(2).error()), "");
  EXPECT_DEATH(Result<void>(Error(Errc::failed, "x")).value(), "");
}

TEST(Errc, KindsOfSystemErrors) {
  EXPECT_EQ(errno_error(ENOENT, "open x").kind(), Errc::not_found);
  EXPECT_EQ(errno_error(EEXIST, "x").kind(), Errc::exists);
  EXPECT_EQ(errno_error(EROFS, "x").kind(), Errc::denied);
  EXPECT_EQ(errno_error(EIO, "x").kind(), Errc::failed);
  EXPECT_TRUE(retryable(errno_error(ECONNRESET, "x").kind()));
  const Error full = errno_error(EDQUOT, "write x");
  EXPECT_EQ(full.kind(), Errc::no_space);
  EXPECT_EQ(full.text(), "write x: Disk quota exceeded");
  EXPECT_FALSE(full.hint().empty());
  EXPECT_EQ(errno_error(123456, "x").text(), "x: unknown error");
}

TEST(Hex, BothWaysForEveryByte) {
  Buffer all(256);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint8_t>(i);
  const std::string text = hex(all);
  EXPECT_EQ(text.substr(0, 8), "00010203");
  EXPECT_EQ(text.substr(508), "feff");
  Buffer back(256);
  ASSERT_TRUE(unhex(text, back));
  EXPECT_EQ(back, all);
  std::string upper = text;
  for (char& c : upper) c = static_cast<char>(::toupper(c));
  back.assign(256, 0);
  ASSERT_TRUE(unhex(upper, back));
  EXPECT_EQ(back, all);
}

TEST(Hex, AnythingElseIsRefused) {
  std::array<std::uint8_t, 2> out{};
  for (const char* bad : {"", "abc", "abcde", "abcdef", "abcg", "g000", "0x12", " 123", "12-4", "12/4",
                          "12:4", "12@4", "12`4"}) {
    EXPECT_FALSE(unhex(bad, out)) << bad;
  }
  EXPECT_TRUE(unhex("", {}));
}

}  // namespace holdfast
