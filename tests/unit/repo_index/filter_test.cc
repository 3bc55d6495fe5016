#include "repo/index_filter.h"

#include <gtest/gtest.h>

#include <random>

namespace holdfast::repo {
namespace {

std::vector<std::uint64_t> keys(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::vector<std::uint64_t> made(count);
  for (std::uint64_t& key : made) key = engine();
  return made;
}

TEST(BinaryFuse8, ContainsEveryKeyOfEverySize) {
  for (std::size_t count = 1; count < 300; ++count) {
    const auto in = keys(count, count);
    const auto filter = BinaryFuse8::build(in);
    ASSERT_TRUE(filter) << count;
    EXPECT_LE(filter->fingerprints().size(), BinaryFuse8::bytes_max(count)) << count;
    for (const std::uint64_t key : in) ASSERT_TRUE(filter->may_contain(key)) << count;
  }
}

TEST(BinaryFuse8, ReferenceSizes) {
  for (const std::size_t count : {1000U, 10'000U, 65'537U, 1U << 18}) {
    const auto in = keys(count, 3 * count);
    const auto filter = BinaryFuse8::build(in);
    ASSERT_TRUE(filter);
    for (const std::uint64_t key : in) ASSERT_TRUE(filter->may_contain(key));
    std::size_t hits = 0;
    constexpr std::size_t kForeign = 200'000;
    for (const std::uint64_t key : keys(kForeign, 77)) hits += filter->may_contain(key) ? 1U : 0U;
    const double rate = static_cast<double>(hits) / kForeign;
    EXPECT_LT(rate, 0.006) << count;
    EXPECT_GT(rate, 0.002) << count;  // fewer would mean that the filter isn't what it says
    EXPECT_LE(filter->fingerprints().size(), BinaryFuse8::bytes_max(count));
    EXPECT_EQ(filter->fingerprints().size(), filter->shape().bytes());
  }
}

TEST(BinaryFuse8, LargePartitionTakesLessThanTenBitsAKey) {
  constexpr std::size_t kKeys = std::size_t{1} << 18;
  EXPECT_LT(static_cast<double>(BinaryFuse8::bytes_max(kKeys)) * 8 / kKeys, 9.5);
}

TEST(BinaryFuse8, TakesRepeatedAndRegularKeys) {
  std::vector<std::uint64_t> in(1000, 42);
  for (std::uint64_t i = 0; i < 5000; ++i) in.push_back(i);
  const auto filter = BinaryFuse8::build(in);
  ASSERT_TRUE(filter);
  for (const std::uint64_t key : in) ASSERT_TRUE(filter->may_contain(key));
}

TEST(BinaryFuse8, BuiltAlikeEveryTime) {
  const auto a = BinaryFuse8::build(keys(5000, 1));
  const auto b = BinaryFuse8::build(keys(5000, 1));
  ASSERT_TRUE(a && b);
  EXPECT_TRUE(std::equal(a->fingerprints().begin(), a->fingerprints().end(), b->fingerprints().begin(),
                         b->fingerprints().end()));
}

TEST(BinaryFuse8, AskedAgainFromItsParts) {
  const auto in = keys(3000, 9);
  const auto built = BinaryFuse8::build(in);
  ASSERT_TRUE(built);
  const BinaryFuse8 again(built->shape(), Buffer(built->fingerprints().begin(), built->fingerprints().end()));
  for (const std::uint64_t key : in) ASSERT_TRUE(again.may_contain(key));
}

TEST(BinaryFuse8, KnowsNothingWhenEmpty) {
  const BinaryFuse8 nothing;
  for (const std::uint64_t key : keys(100, 1)) EXPECT_FALSE(nothing.may_contain(key));
}

}  // namespace
}  // namespace holdfast::repo
