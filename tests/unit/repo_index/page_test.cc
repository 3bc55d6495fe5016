#include "repo/index_page.h"

#include <gtest/gtest.h>

#include <random>

namespace holdfast::repo {
namespace {

TEST(IndexPage, KeysOrderAsTheirBytes) {
  std::array<std::uint8_t, 16> a{};
  std::array<std::uint8_t, 16> b{};
  a[0] = 1;
  b[15] = 255;
  EXPECT_GT(load_key(a.data()), load_key(b.data()));
  std::array<std::uint8_t, 16> again{};
  store_key(load_key(b.data()), again.data());
  EXPECT_EQ(again, b);
}

TEST(IndexPage, GivesBackFullPagesOfEveryWidth) {
  std::mt19937_64 engine(1);
  for (unsigned bits = 0; bits <= 32; ++bits) {
    std::vector<IndexEntry> entries(300);
    ValueWidths widths;
    for (std::uint64_t i = 0; i < entries.size(); ++i) {
      entries[i].key = {2 * i, engine()};
      for (auto& value : entries[i].values)
        value = static_cast<std::uint32_t>(engine() & ((1ULL << bits) - 1));
      widths.cover(entries[i]);
    }
    entries.resize(std::min(entries.size(), widths.page_entries()));
    Buffer plain(kPagePlainBytes);
    encode_page(widths, entries, bits % 2 == 0, plain);
    const PageView page(widths, plain);
    ASSERT_EQ(page.count(), entries.size());
    EXPECT_EQ(page.spills(), bits % 2 == 0);
    for (std::size_t i = 0; i < entries.size(); ++i) {
      EXPECT_EQ(page.entry(i).key, entries[i].key);
      EXPECT_EQ(page.entry(i).values, entries[i].values);
      EXPECT_EQ(page.lower_bound(entries[i].key), i);
      EXPECT_EQ(page.lower_bound({entries[i].key.high + 1, 0}), i + 1);
    }
  }
}

TEST(IndexPage, EmptyPageHasNothing) {
  const ValueWidths widths;
  Buffer plain(kPagePlainBytes, 0xff);
  encode_page(widths, {}, false, plain);
  const PageView page(widths, plain);
  EXPECT_EQ(page.count(), 0U);
  EXPECT_EQ(page.lower_bound({1, 1}), 0U);
}

}  // namespace
}  // namespace holdfast::repo
