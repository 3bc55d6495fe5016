#include "crypto/aead.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/unit/crypto/vectors.h"

namespace holdfast::crypto {
namespace {

Buffer noise(std::size_t size, unsigned seed) {
  std::mt19937_64 random(seed);
  Buffer out(size);
  for (auto& byte : out) byte = static_cast<std::uint8_t>(random());
  return out;
}

Buffer seal(Aead& aead, const Nonce& nonce, Bytes aad, Bytes plain) {
  Buffer out(plain.size() + kTagBytes);
  aead.seal(nonce, aad, plain, out);
  return out;
}

TEST(Aead, wycheproof) {
  int seen = 0;
  int refused = 0;
  Aead aead{Key()};
  const auto all = test::vectors("wycheproof/aes_gcm_test.json");
  for (const auto& group : all["testGroups"]) {
    if (group["keySize"] != 256 || group["ivSize"] != 96 || group["tagSize"] != 128) continue;
    for (const auto& one : group["tests"]) {
      SCOPED_TRACE(one["tcId"].get<int>());
      const auto nonce = test::array_of<kNonceBytes>(test::bytes_of(one["iv"]));
      const Buffer aad = test::bytes_of(one["aad"]);
      const Buffer plain = test::bytes_of(one["msg"]);
      Buffer sealed = test::bytes_of(one["ct"]);
      append(sealed, test::bytes_of(one["tag"]));
      const bool valid = one["result"] == "valid";
      aead.rekey(Key(test::bytes_of(one["key"])));
      Buffer opened(plain.size(), 0xee);
      EXPECT_EQ(aead.open(nonce, aad, sealed, opened), valid);
      EXPECT_EQ(opened, valid ? plain : Buffer(plain.size(), 0));
      EXPECT_EQ(seal(aead, nonce, aad, plain) == sealed, valid);
      ++seen;
      refused += valid ? 0 : 1;
    }
  }
  EXPECT_GE(seen, 60);
  EXPECT_GE(refused, 10);
}

TEST(Aead, directions_and_keys_may_alternate) {
  const Key first(noise(32, 1));
  const Key second(noise(32, 2));
  Aead one(first);
  Aead other(second);
  for (std::size_t size : {0u, 1u, 15u, 16u, 17u, 1000u, 65536u}) {
    const auto nonce = test::array_of<kNonceBytes>(noise(kNonceBytes, static_cast<unsigned>(size)));
    const Buffer plain = noise(size, 3);
    const Buffer aad = noise(size % 40, 4);
    const Buffer a = seal(one, nonce, aad, plain);
    const Buffer b = seal(other, nonce, aad, plain);
    EXPECT_NE(a, b);
    Buffer opened(size);
    ASSERT_TRUE(one.open(nonce, aad, a, opened));
    EXPECT_EQ(opened, plain);
    EXPECT_FALSE(one.open(nonce, aad, b, opened));
    one.rekey(second);
    ASSERT_TRUE(one.open(nonce, aad, b, opened));
    EXPECT_EQ(opened, plain);
    EXPECT_EQ(seal(one, nonce, aad, plain), b);
    one.rekey(first);
    EXPECT_EQ(seal(one, nonce, aad, plain), a);
  }
}

TEST(Aead, works_in_place) {
  Aead aead{Key(noise(32, 5))};
  const Nonce nonce{1, 2, 3};
  const Buffer plain = noise(3000, 6);
  Buffer place = plain;
  place.resize(plain.size() + kTagBytes);
  const Buffer sealed = seal(aead, nonce, as_bytes("aad"), plain);
  aead.seal(nonce, as_bytes("aad"), Bytes(place).first(plain.size()), place);
  EXPECT_EQ(place, sealed);
  ASSERT_TRUE(aead.open(nonce, as_bytes("aad"), place, MutableBytes(place).first(plain.size())));
  EXPECT_TRUE(std::equal(plain.begin(), plain.end(), place.begin()));
}

TEST(Aead, every_flipped_bit_is_refused_and_nothing_let_out) {
  Aead aead{Key(noise(32, 7))};
  const Nonce nonce{};
  const Buffer plain = noise(20, 8);
  Buffer sealed = seal(aead, nonce, as_bytes("frame 7"), plain);
  Buffer opened(plain.size());
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    const auto mask = static_cast<std::uint8_t>(1u << (bit % 8));
    sealed[bit / 8] ^= mask;
    std::fill(opened.begin(), opened.end(), std::uint8_t{0xee});
    EXPECT_FALSE(aead.open(nonce, as_bytes("frame 7"), sealed, opened));
    EXPECT_EQ(opened, Buffer(plain.size(), 0));
    sealed[bit / 8] ^= mask;
  }
  EXPECT_FALSE(aead.open(nonce, as_bytes("frame 8"), sealed, opened));
  EXPECT_FALSE(aead.open(Nonce{1}, as_bytes("frame 7"), sealed, opened));
  EXPECT_TRUE(aead.open(nonce, as_bytes("frame 7"), sealed, opened));
}

}  // namespace
}  // namespace holdfast::crypto
