#include "crypto/secret.h"

#include <gtest/gtest.h>

namespace holdfast::crypto {
namespace {

Key counting_key() {
  Key key;
  for (std::size_t i = 0; i < 32; ++i) key.writable()[i] = static_cast<std::uint8_t>(i + 1);
  return key;
}

TEST(Secret, moved_from_is_wiped) {
  Key a = counting_key();
  const Key b = std::move(a);
  EXPECT_TRUE(equal(a.bytes(), Key().bytes()));  // NOLINT: looks at what the move left
  EXPECT_TRUE(equal(b.bytes(), counting_key().bytes()));
  Key c;
  Key d = b.copy();
  c = std::move(d);
  EXPECT_TRUE(equal(d.bytes(), Key().bytes()));  // NOLINT
  EXPECT_TRUE(equal(c.bytes(), b.bytes()));
}

TEST(Secret, is_wiped_at_its_end) {
  alignas(Key) std::array<std::uint8_t, sizeof(Key)> place;
  Key* const key = new (place.data()) Key(counting_key());
  key->~Key();
  EXPECT_EQ(place, (std::array<std::uint8_t, sizeof(Key)>{}));
}

TEST(Secret, compares_lengths_and_bytes) {
  EXPECT_TRUE(equal({}, {}));
  EXPECT_FALSE(equal(as_bytes("ab"), as_bytes("abc")));
  EXPECT_FALSE(equal(as_bytes("abd"), as_bytes("abc")));
  EXPECT_TRUE(equal(as_bytes("abc"), as_bytes("abc")));
}

TEST(SecretDeathTest, refuses_another_length) { EXPECT_DEATH(Key(as_bytes("short")), "size"); }

}  // namespace
}  // namespace holdfast::crypto
