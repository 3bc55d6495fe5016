#include "storage/name.h"

#include "storage/range.h"

namespace holdfast::storage {

TEST(Name, OnlyTheOneAlphabetInProperComponents) {
  for (const char* name : {"a", "0", "-", "...", "a.b-c/d/..e", "t/00/f-1"})
    EXPECT_TRUE(valid_name(name)) << name;
  for (const char* name :
       {"", "/", "a/", "/a", "a//b", ".", "..", "a/.", "../a", "a/../b", "A", "a_b", "a b", "ä"}) {
    EXPECT_FALSE(valid_name(name)) << name;
  }
  EXPECT_TRUE(valid_name(std::string(200, 'x')));
  EXPECT_FALSE(valid_name(std::string(201, 'x')));
}

TEST(Range, NeverWrapsAround) {
  constexpr std::uint64_t kMax = ~std::uint64_t{0};
  const ObjectInfo object = {"o", 10};
  EXPECT_EQ(length_within({}, object).value(), 10u);
  EXPECT_EQ(length_within({.offset = 10, .length = kMax}, object).value(), 0u);
  for (const ByteRange range :
       {ByteRange{11, 0}, ByteRange{5, kMax - 1}, ByteRange{kMax, kMax}, ByteRange{kMax, 2}}) {
    EXPECT_FALSE(length_within(range, object).ok());
  }
}

}  // namespace holdfast::storage
