#include "crypto/shamir.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/support/seeded_random.h"

namespace holdfast::crypto {
namespace {

using testing::SeededRandom;

// FIPS 197, 4.2 and 4.2.1.
TEST(Field, PublishedProducts) {
  EXPECT_EQ(multiply(0x57, 0x83), 0xc1);
  EXPECT_EQ(multiply(0x57, 0x13), 0xfe);
  EXPECT_EQ(multiply(0x57, 0x02), 0xae);
  EXPECT_EQ(multiply(0x57, 0x04), 0x47);
  EXPECT_EQ(multiply(0x57, 0x08), 0x8e);
  EXPECT_EQ(multiply(0x57, 0x10), 0x07);
}

TEST(Field, EveryProductAgainstLongDivision) {
  for (unsigned a = 0; a < 256; ++a) {
    for (unsigned b = 0; b < 256; ++b) {
      unsigned product = 0;
      for (unsigned bit = 0; bit < 8; ++bit) {
        if (b >> bit & 1) product ^= a << bit;
      }
      for (unsigned bit = 15; bit >= 8; --bit) {
        if (product >> bit & 1) product ^= 0x11bu << (bit - 8);
      }
      ASSERT_EQ(multiply(static_cast<std::uint8_t>(a), static_cast<std::uint8_t>(b)), product)
          << a << " " << b;
    }
  }
  EXPECT_EQ(inverse(0), 0);
  for (unsigned a = 1; a < 256; ++a) {
    const auto byte = static_cast<std::uint8_t>(a);
    ASSERT_EQ(multiply(byte, inverse(byte)), 1) << a;
  }
}

TEST(Shamir, EverySubsetThatIsLargeEnoughRestoresAndNoSmallerOne) {
  SeededRandom random(1);
  const Buffer secret{0, 1, 2, 0xff, 0x80, 7, 7, 7};
  for (unsigned count = 1; count <= 6; ++count) {
    for (unsigned threshold = 1; threshold <= count; ++threshold) {
      const std::vector<Share> shares = split(secret, threshold, count, random);
      for (unsigned subset = 1; subset < 1u << count; ++subset) {
        std::vector<Share> given;
        for (unsigned i = 0; i < count; ++i) {
          if (subset >> i & 1) given.push_back(shares[i]);
        }
        ASSERT_EQ(combine(given) == secret, given.size() >= threshold)
            << given.size() << " of " << threshold << "/" << count;
      }
    }
  }
}

// For every share that one holder may have, each secret is as likely as any other: with a threshold of two
// the 256 polynomials of a secret give each value of a share once.
TEST(Shamir, OneShareOfTwoTellsNothing) {
  class Fixed final : public Random {
   public:
    std::uint8_t value = 0;
    void fill(MutableBytes out) override {
      for (std::uint8_t& byte : out) byte = value;
    }
  } random;
  for (unsigned secret = 0; secret < 256; ++secret) {
    std::map<std::uint8_t, int> seen;
    for (unsigned c = 0; c < 256; ++c) {
      random.value = static_cast<std::uint8_t>(c);
      ++seen[split(Buffer{static_cast<std::uint8_t>(secret)}, 2, 2, random)[1].bytes[0]];
    }
    ASSERT_EQ(seen.size(), 256u) << secret;
  }
}

}  // namespace
}  // namespace holdfast::crypto
