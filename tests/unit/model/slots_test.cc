// Slots against std::set, reference pages, and the order of paths against its definition.
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "model/entry.h"
#include "model/slots.h"

namespace holdfast::model {

namespace {

constexpr std::uint32_t kSmall = 9;

std::uint32_t place(std::uint32_t bit) { return 59 + bit; }  // across the border of two words

Slots slots_of(unsigned mask) {
  Slots out;
  for (std::uint32_t bit = 0; bit < kSmall; ++bit) {
    if ((mask >> bit & 1) != 0) out.insert(place(bit));
  }
  return out;
}

Buffer encoded(const Slots& slots) {
  Encoder out;
  slots.encode(out);
  return out.take();
}

std::optional<Slots> decoded(Bytes bytes) {
  Decoder in(bytes);
  Slots out = Slots::decode(in);
  if (!in.finish("slots").ok()) return std::nullopt;
  return out;
}

// The encoding of runs given as gap and length.
Buffer runs(std::vector<std::pair<std::uint64_t, std::uint64_t>> list) {
  Encoder out;
  out.varint(list.size());
  for (const auto& [gap, length] : list) {
    out.varint(gap);
    out.varint(length);
  }
  return out.take();
}

}  // namespace

TEST(Slots, AgreeWithBitSetsExhaustively) {
  const unsigned all = 1u << kSmall;
  for (unsigned a = 0; a < all; ++a) {
    const Slots one = slots_of(a);
    EXPECT_EQ(one.count(), static_cast<std::uint32_t>(std::popcount(a)));
    EXPECT_EQ(one.empty(), a == 0);
    for (std::uint32_t slot = 0; slot < 200; ++slot) {
      const bool inside = slot >= place(0) && slot < place(kSmall) && (a >> (slot - place(0)) & 1) != 0;
      ASSERT_EQ(one.contains(slot), inside);
    }
    const auto back = decoded(encoded(one));
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(*back, one);
    for (unsigned b = 0; b < all; b += 1 + a % 3) {
      const Slots other = slots_of(b);
      ASSERT_EQ(one.contains(other), (b & ~a) == 0);
      ASSERT_EQ(one == other, a == b);
      Slots both = one;
      both.unite(other);
      ASSERT_EQ(both, slots_of(a | b));
    }
  }
}

TEST(Slots, RandomSetsRoundTrip) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 200; ++round) {
    std::set<std::uint32_t> model;
    Slots slots;
    const std::uint32_t top = 1u << (1 + random() % 16);
    for (std::uint64_t n = random() % 300; n > 0; --n) {
      const auto slot = static_cast<std::uint32_t>(random() % top);
      model.insert(slot);
      slots.insert(slot);
    }
    EXPECT_EQ(slots.count(), model.size());
    const Buffer bytes = encoded(slots);
    const auto back = decoded(bytes);
    ASSERT_TRUE(back.has_value());
    for (std::uint32_t slot = 0; slot < top + 70; ++slot)
      ASSERT_EQ(back->contains(slot), model.contains(slot));
    EXPECT_EQ(encoded(*back), bytes);
    for (std::size_t n = 0; n < bytes.size(); ++n) EXPECT_FALSE(decoded(Bytes(bytes).first(n)).has_value());
  }
}

TEST(Slots, HaveOneEncodingAndABound) {
  const std::uint64_t max = kSlotsMax;
  EXPECT_TRUE(decoded(runs({{max - 1, 1}})).has_value());
  EXPECT_TRUE(decoded(runs({{0, 5}, {1, 1}})).has_value());
  EXPECT_FALSE(decoded(runs({{max, 1}})).has_value());
  EXPECT_FALSE(decoded(runs({{max - 1, 2}})).has_value());
  EXPECT_FALSE(decoded(runs({{5, 0}})).has_value());          // an empty run
  EXPECT_FALSE(decoded(runs({{0, 5}, {0, 1}})).has_value());  // two runs that are one
  EXPECT_FALSE(decoded(runs({{~std::uint64_t{0}, 2}})).has_value());
  EXPECT_FALSE(decoded(runs({{5, ~std::uint64_t{0} - 3}})).has_value());
  EXPECT_FALSE(decoded(runs({{0, max}, {1, 1}})).has_value());
}

TEST(References, PagesRoundTripInAnySplit) {
  std::mt19937_64 random(12);
  References references;
  for (int i = 0; i < 40; ++i) {
    const PackId pack{{random() % 3, static_cast<std::uint32_t>(random() % 3)},
                      static_cast<std::uint32_t>(random() % 9)};
    for (int n = 0; n < 5; ++n) insert(references, {pack, static_cast<std::uint32_t>(random() % 300)});
  }
  for (std::size_t at = 0; at <= references.size(); ++at) {
    const auto split = std::next(references.begin(), static_cast<std::ptrdiff_t>(at));
    const Buffer first = encode_page(references.begin(), split);
    const Buffer second = encode_page(split, references.end());
    References back;
    ASSERT_TRUE(decode_page(second, back).ok());
    ASSERT_TRUE(decode_page(first, back).ok());
    EXPECT_EQ(back, references);
  }
  const Buffer page = encode_page(references.begin(), references.end());
  for (std::size_t n = 0; n < page.size(); ++n) {
    References back;
    const auto result = decode_page(Bytes(page).first(n), back);
    ASSERT_FALSE(result.ok()) << n;
    EXPECT_EQ(result.error().kind(), Errc::damaged);
  }
}

TEST(References, FirstMissingIsTheFirstInOrder) {
  const PackId a{{1, 1}, 0}, b{{1, 1}, 2}, c{{2, 1}, 0};
  References whole, part;
  for (std::uint32_t slot = 0; slot < 130; ++slot) insert(whole, {b, slot});
  insert(whole, {a, 3});
  EXPECT_EQ(first_missing(whole, whole), std::nullopt);
  EXPECT_EQ(first_missing(whole, {}), std::nullopt);
  insert(part, {b, 129});
  EXPECT_EQ(first_missing(whole, part), std::nullopt);
  insert(part, {b, 130});
  insert(part, {b, 131});
  insert(part, {c, 0});
  EXPECT_EQ(first_missing(whole, part), (Address{b, 130}));
  unite(whole, {{b, part.at(b)}});
  EXPECT_EQ(first_missing(whole, part), (Address{c, 0}));
  unite(whole, part);
  EXPECT_EQ(first_missing(whole, part), std::nullopt);
  EXPECT_TRUE(whole.at(a).contains(3));
}

namespace {

std::vector<std::string> components(std::string_view path) {
  std::vector<std::string> out;
  for (std::size_t at = 0;;) {
    const std::size_t slash = path.find('/', at);
    out.emplace_back(path.substr(at, slash - at));
    if (slash == path.npos) return out;
    at = slash + 1;
  }
}

// By components, each by its bytes; std::string compares bytes as unsigned.
int compare_by_definition(std::string_view a, std::string_view b) {
  const auto x = components(a), y = components(b);
  return x < y ? -1 : x == y ? 0 : 1;
}

int sign(int n) { return (n > 0) - (n < 0); }

bool is_path(std::string_view path) {
  return !path.empty() && path.front() != '/' && path.back() != '/' && path.find("//") == path.npos;
}

}  // namespace

TEST(ComparePaths, IsTheOrderByComponents) {
  const std::string alphabet("/.a\xff\x01", 5);
  std::vector<std::string> paths{""};
  for (std::size_t at = 0; at < paths.size() && paths[at].size() < 4; ++at) {
    for (const char c : alphabet) paths.push_back(paths[at] + c);
  }
  std::erase_if(paths, [](const std::string& path) { return !is_path(path); });
  ASSERT_GT(paths.size(), 300u);
  for (const std::string& a : paths) {
    for (const std::string& b : paths) {
      ASSERT_EQ(sign(compare_paths(a, b)), compare_by_definition(a, b)) << a << " and " << b;
    }
  }
}

}  // namespace holdfast::model
