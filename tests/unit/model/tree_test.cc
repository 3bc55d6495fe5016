// Leaves and nodes of a tree: random entries of every kind come back as they were, deltas agree with a map,
// and what can't be is refused.
#include <limits>
#include <map>
#include <random>

#include <gtest/gtest.h>

#include "model/tree.h"

namespace holdfast::model {

namespace {

struct ByPath {
  bool operator()(const std::string& a, const std::string& b) const { return compare_paths(a, b) < 0; }
};
using Entries = std::map<std::string, Entry, ByPath>;

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : random_(seed), none_born_(seed % 7 == 0) {}

  std::uint64_t below(std::uint64_t n) { return random_() % n; }

  std::string path() {
    static const char* const kNames[] = {"a", "b", "...", "a b", "\xff\xfe", "a-", "long-name-of-a-file",
                                         "\n"};
    std::string out;
    for (std::uint64_t depth = 1 + below(4); depth > 0; --depth) {
      if (!out.empty()) out += '/';
      out += kNames[below(8)];
      if (below(2) == 0) out += std::to_string(below(20));
    }
    return out;
  }

  Entry entry(std::string path) {
    Entry e;
    e.path = std::move(path);
    e.attributes = attributes();
    e.mtime = {static_cast<std::int64_t>(below(3) == 0 ? random_() : below(5)),
               static_cast<std::uint32_t>(below(1'000'000'000))};
    if (below(6) == 0) e.link_group = 1 + below(1000);
    e.changed_while_read = below(10) == 0;
    // Near the mtime, anywhere at all, or not known; of some blocks none is known.
    const std::uint64_t birth = none_born_ ? 9 : below(4);
    if (birth < 2) e.birth = Time{e.mtime.seconds, static_cast<std::uint32_t>(below(1'000'000'000))};
    if (birth == 2)
      e.birth = Time{static_cast<std::int64_t>(random_()), static_cast<std::uint32_t>(below(1'000'000'000))};
    switch (e.attributes.type) {
      case FileType::regular:
        content(e);
        break;
      case FileType::symlink:
        e.target = below(4) == 0 ? "" : "../" + this->path();
        break;
      case FileType::char_device:
      case FileType::block_device:
        e.device = random_();
        break;
      default:
        break;
    }
    return e;
  }

  Entries entries(std::size_t n) {
    Entries out;
    while (out.size() < n) {
      std::string p = path() + std::to_string(out.size());
      out.emplace(p, entry(p));
    }
    return out;
  }

 private:
  Attributes attributes() {
    Attributes a;
    a.type = static_cast<FileType>(below(2) == 0 ? 0 : below(7));
    a.mode = static_cast<std::uint32_t>(below(2) == 0 ? 0644 : below(010000));
    a.uid = static_cast<std::uint32_t>(below(3) == 0 ? random_() : 1000);
    if (below(2) == 0) a.user = "ann";
    if (below(3) == 0) a.group = "staff";
    if (below(5) == 0) a.flags = static_cast<std::uint32_t>(random_());
    if (below(5) == 0) a.project = static_cast<std::uint32_t>(random_());
    if (below(8) == 0) a.xattrs = {{"user.a", std::string("\0\xff", 2)}, {"user.b", ""}};
    return a;
  }

  // Often goes on where the file before ended, as files of one bundle do.
  void content(Entry& e) {
    for (std::uint64_t n = below(4); n > 0; --n) {
      Extent x;
      x.length = 1 + below(below(9) == 0 ? std::uint64_t{1} << 40 : 5000);
      if (below(4) == 0) {
        x.hole = true;
      } else if (below(2) == 0) {
        x.chunk = {{{below(3), static_cast<std::uint32_t>(below(3))}, static_cast<std::uint32_t>(below(3))},
                   static_cast<std::uint32_t>(below(4))};
        if (x.chunk.slot == 1) x.id.fill(static_cast<std::uint8_t>(7 + x.chunk.pack.pack));
        x.offset = below(9000);
        last_ = x;
      } else {
        const std::uint64_t length = x.length;
        x = last_;
        x.offset += last_.length;
        x.length = length;
        last_ = x;
      }
      e.size_bytes += x.length;
      e.content.push_back(x);
    }
  }

  std::mt19937_64 random_;
  const bool none_born_;
  Extent last_;
};

std::vector<Entry> list_of(const Entries& entries) {
  std::vector<Entry> out;
  for (const auto& [path, entry] : entries) out.push_back(entry);
  return out;
}

Buffer block_of(const std::vector<Entry>& entries) {
  Encoder out;
  encode_block(out, entries);
  return out.take();
}

bool decodes(const std::vector<Entry>& entries) {
  std::vector<Entry> back;
  return decode_block(block_of(entries), back).ok();
}

Entry file(std::string path) {
  Entry e;
  e.path = std::move(path);
  return e;
}

}  // namespace

TEST(Block, WhatNobodyHasTakesNoRoom) {
  std::vector<Entry> plain{file("a"), file("b")};
  const std::size_t least = block_of(plain).size();
  std::vector<Entry> back;
  // What was decoded before is gone.
  plain[0].birth = Time{7, 8};
  plain[0].attributes.flags = 0x10;
  plain[0].attributes.project = 5;
  EXPECT_GT(block_of(plain).size(), least);
  ASSERT_TRUE(decode_block(block_of(plain), back).ok());
  EXPECT_EQ(back, plain);
  ASSERT_TRUE(decode_block(block_of({file("a"), file("b")}), back).ok());
  EXPECT_EQ(back, (std::vector<Entry>{file("a"), file("b")}));
  // Four counts, the one attribute that both have, seven bytes for each entry, two empty columns.
  EXPECT_EQ(least, 4u + 7u + 2u * 7u + 2u);
}

TEST(Block, RandomEntriesOfEveryKindRoundTrip) {
  std::vector<Entry> back;  // reused, so that nothing of an earlier block may shine through
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Generator generator(seed);
    const std::vector<Entry> entries = list_of(generator.entries(seed % 60));
    const Buffer block = block_of(entries);
    const auto decoded = decode_block(block, back);
    ASSERT_TRUE(decoded.ok()) << seed;
    ASSERT_EQ(back, entries) << seed;
    ASSERT_EQ(block_of(back), block) << seed;
  }
}

TEST(Block, TimesAtTheEndsOfTheirRangeRoundTrip) {
  constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min(),
                         kMax = std::numeric_limits<std::int64_t>::max();
  std::vector<Entry> entries;
  for (const std::int64_t seconds : {kMax, kMin, kMax, kMax, std::int64_t{0}, kMin}) {
    entries.push_back(file("f" + std::to_string(entries.size())));
    entries.back().mtime = {seconds, static_cast<std::uint32_t>(999'999'999 - entries.size())};
  }
  std::vector<Entry> back;
  ASSERT_TRUE(decode_block(block_of(entries), back).ok());
  EXPECT_EQ(back, entries);
}

TEST(Block, IsRefusedWhenCutAndSurvivesAnyFlippedBit) {
  Generator generator(77);
  const std::vector<Entry> entries = list_of(generator.entries(12));
  const Buffer block = block_of(entries);
  std::vector<Entry> back;
  for (std::size_t n = 0; n < block.size(); ++n) {
    const Buffer cut(block.begin(), block.begin() + static_cast<std::ptrdiff_t>(n));
    ASSERT_FALSE(decode_block(cut, back).ok()) << n;
  }
  for (std::size_t at = 0; at < block.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      Buffer flipped = block;
      flipped[at] = static_cast<std::uint8_t>(flipped[at] ^ 1u << bit);
      // It may decode, as something else: then that is safe all the same.
      if (!decode_block(flipped, back).ok()) continue;
      for (const Entry& e : back) {
        std::uint64_t covered = 0;
        for (const Extent& x : e.content) covered += x.length;
        ASSERT_EQ(covered, e.size_bytes);
        ASSERT_EQ(e.path.find('\0'), e.path.npos);
        ASSERT_LT(e.mtime.nanoseconds, 1'000'000'000u);
      }
    }
  }
}

TEST(Block, UnsafePathsAndWrongOrderAreRefused) {
  using std::string_literals::operator""s;
  for (const std::string& path :
       {""s, "/"s, "/a"s, "a/"s, "a//b"s, "."s, ".."s, "../a"s, "a/../b"s, "a/./b"s, "a/.."s, "a\0b"s}) {
    EXPECT_FALSE(decodes({file(path)})) << path;
  }
  for (const char* path : {"...", ".a", "a.", "..a/b", "a/..b"}) EXPECT_TRUE(decodes({file(path)})) << path;
  EXPECT_TRUE(decodes({file("a"), file("a/b"), file("a-")}));
  EXPECT_FALSE(decodes({file("a"), file("a-"), file("a/b")}));
  EXPECT_FALSE(decodes({file("a"), file("a")}));
  EXPECT_FALSE(decodes({file("b"), file("a")}));
}

TEST(Block, ExtentsThatDoNotCoverTheFileAreRefused) {
  const auto extent = [](std::uint64_t length, bool hole) {
    Extent x;
    x.length = length;
    x.hole = hole;
    return x;
  };
  Entry e = file("f");
  e.size_bytes = 10;
  const auto with = [&](std::vector<Extent> content) {
    e.content = std::move(content);
    return decodes({e});
  };
  EXPECT_TRUE(with({extent(4, false), extent(6, true)}));
  EXPECT_FALSE(with({}));
  EXPECT_FALSE(with({extent(4, false), extent(5, true)}));
  EXPECT_FALSE(with({extent(4, false), extent(7, true)}));
  EXPECT_FALSE(with({extent(10, false), extent(0, false)}));
  EXPECT_FALSE(with({extent(11, false)}));
  EXPECT_FALSE(with({extent(~std::uint64_t{0}, false), extent(11, false)}));
}

TEST(Block, IndicesBeyondTheTablesAreRefused) {
  // One regular file of one byte: tables of one transaction, one chunk, one kind of attributes, then the
  // columns.
  struct Fields {
    std::uint64_t chunk_transaction = 0, attribute = 0, extent_chunk = 1, nanoseconds = 0, sparse_gap = 0;
    std::uint8_t type = 0;
    std::uint64_t mode = 0644;
  };
  const auto block = [](const Fields& f) {
    Encoder out;
    out.varint(1);
    out.varint(1);
    encode(out, TransactionId{1, 1});
    out.varint(1);
    for (const std::uint64_t n : {f.chunk_transaction, std::uint64_t{0}, std::uint64_t{0}}) out.varint(n);
    out.u8(0);
    out.varint(1);
    out.u8(f.type);
    for (const std::uint64_t n : {f.mode, std::uint64_t{0}, std::uint64_t{0}}) out.varint(n);
    for (int i = 0; i < 3; ++i) out.varint(0);
    out.varint(0);
    out.string("f");
    out.varint(f.attribute);
    out.svarint(0);
    out.varint(f.nanoseconds);  // zigzag
    out.varint(1);
    out.varint(1);
    out.varint(f.sparse_gap);
    out.varint(5);
    out.varint(0);
    out.varint(2);
    out.varint(f.extent_chunk);
    if (f.extent_chunk != 0) out.varint(0);
    out.varint(1);
    return out.take();
  };
  std::vector<Entry> back;
  const auto good = [&](const Fields& f) { return decode_block(block(f), back).ok(); };
  EXPECT_TRUE(good({}));
  EXPECT_EQ(back.at(0).link_group, 5u);
  EXPECT_FALSE(good({.chunk_transaction = 1}));
  EXPECT_FALSE(good({.attribute = 1}));
  EXPECT_TRUE(good({.extent_chunk = 0}));
  EXPECT_FALSE(good({.extent_chunk = 2}));
  EXPECT_FALSE(good({.nanoseconds = 1}));  // -1
  EXPECT_TRUE(good({.nanoseconds = 2 * 999'999'999}));
  EXPECT_FALSE(good({.nanoseconds = 2 * 1'000'000'000ull}));
  EXPECT_FALSE(good({.nanoseconds = ~std::uint64_t{0} - 1}));
  EXPECT_FALSE(good({.sparse_gap = 1}));
  EXPECT_FALSE(good({.sparse_gap = ~std::uint64_t{0}}));
  EXPECT_FALSE(good({.type = 7}));
  EXPECT_FALSE(good({.mode = 010000}));
}

// What a few bytes would make by sharing: large attributes, or a long path, for many entries.
TEST(Block, WhatDecodesToMoreThanALeafMayHoldIsRefused) {
  const auto files = [](std::size_t n, const std::string& directory, std::size_t xattr_bytes) {
    std::vector<Entry> out;
    for (std::size_t i = 0; i < n; ++i) {
      out.push_back(file(directory + std::to_string(10'000 + i)));
      if (xattr_bytes > 0) out.back().attributes.xattrs = {{"a", std::string(xattr_bytes, 'v')}};
    }
    return out;
  };
  const std::size_t limit = 16 << 20;
  const std::size_t mib = 1 << 20;
  // Path, name of the xattr, 64 for it, its value.
  EXPECT_TRUE(decodes(files(16, "", mib - 5 - 1 - 64)));
  EXPECT_FALSE(decodes(files(16, "", mib - 5 - 1 - 64 + 1)));
  EXPECT_LT(block_of(files(40, "", mib)).size(), 2 * mib);
  EXPECT_FALSE(decodes(files(40, "", mib)));
  EXPECT_TRUE(decodes(files(limit / 65'005, std::string(64'999, 'd') + "/", 0)));
  EXPECT_FALSE(decodes(files(limit / 65'005 + 1, std::string(64'999, 'd') + "/", 0)));
  EXPECT_TRUE(decodes(files(1, std::string(65'530, 'd'), 0)));
  EXPECT_FALSE(decodes(files(1, std::string(65'531, 'd'), 0)));
  EXPECT_TRUE(decodes(files(2048, "", 0)));
  EXPECT_FALSE(decodes(files(2049, "", 0)));
  std::vector<Entry> many = files(300, "", 0);  // empty xattrs take memory too
  for (Entry& e : many) e.attributes.xattrs.resize(1000);
  EXPECT_FALSE(decodes(many));
}

TEST(Delta, MakesNoLeafThatIsLargerThanALeafMayBe) {
  std::vector<Entry> base, changed, out;
  for (int i = 0; i < 2048; ++i) base.push_back(file(std::to_string(10'000 + i)));
  changed = {file("10000")};
  EXPECT_TRUE(apply_delta({}, base, std::move(changed), out).ok());
  changed = {file("a")};
  EXPECT_EQ(apply_delta({}, base, std::move(changed), out).error().kind(), Errc::damaged);
}

TEST(Node, TooManyChildrenAndTooLongPathsAreRefused) {
  std::vector<Child> children(512);
  for (int i = 0; i < 512; ++i) children[static_cast<std::size_t>(i)].first_path = std::to_string(10'000 + i);
  EXPECT_TRUE(decode_node(encode_node(1, children), 1).ok());
  children.back().first_path = std::string(65'535, 'x');
  EXPECT_TRUE(decode_node(encode_node(1, children), 1).ok());
  children.back().first_path += 'x';
  EXPECT_FALSE(decode_node(encode_node(1, children), 1).ok());
  children.back().first_path = "x";
  children.emplace_back().first_path = "y";
  EXPECT_FALSE(decode_node(encode_node(1, children), 1).ok());
}

TEST(Delta, AgreesWithAMapOnRandomChanges) {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    Generator generator(1000 + seed);
    const Entries base = generator.entries(generator.below(30));
    Entries expected = base, changed;
    Delta delta;
    delta.base = {{{1, 2}, 3}, 4};
    delta.base_id.fill(9);
    std::uint32_t position = 0;
    for (const auto& [path, entry] : base) {
      const std::uint64_t fate = generator.below(4);
      if (fate == 0) {
        delta.removed.push_back(position);
        expected.erase(path);
      } else if (fate == 1) {
        changed[path] = expected[path] = generator.entry(path);
      }
      ++position;
    }
    for (std::uint64_t n = generator.below(10); n > 0; --n) {
      const std::string path = generator.path();
      if (!base.contains(path)) changed[path] = expected[path] = generator.entry(path);
    }
    const Buffer bytes = encode_delta(delta, list_of(changed));
    const auto leaf = decode_leaf(bytes);
    ASSERT_TRUE(leaf.ok());
    ASSERT_TRUE(leaf.value().is_delta);
    EXPECT_EQ(leaf.value().delta.base, delta.base);
    EXPECT_EQ(leaf.value().delta.base_id, delta.base_id);
    ASSERT_EQ(leaf.value().delta.removed, delta.removed);
    std::vector<Entry> decoded, out;
    ASSERT_TRUE(decode_block(leaf.value().block, decoded).ok());
    ASSERT_TRUE(apply_delta(leaf.value().delta, list_of(base), std::move(decoded), out).ok());
    ASSERT_EQ(out, list_of(expected)) << seed;
  }
}

TEST(Delta, RemovingWhatTheBaseLacksIsDamage) {
  const std::vector<Entry> base{file("a"), file("b")};
  std::vector<Entry> out;
  for (const std::uint32_t beyond : {2u, 3u, 2000u}) {
    Delta delta;
    delta.removed = {1, beyond};
    const auto applied = apply_delta(delta, base, {}, out);
    ASSERT_FALSE(applied.ok());
    EXPECT_EQ(applied.error().kind(), Errc::damaged);
  }
}

TEST(Leaf, HeadsThatCannotBeAreRefused) {
  const Buffer full = encode_leaf({file("a")});
  ASSERT_TRUE(decode_leaf(full).ok());
  EXPECT_FALSE(decode_leaf(full).value().is_delta);
  EXPECT_FALSE(decode_leaf({}).ok());
  for (const auto& [version, form] : {std::pair{1, 0}, {0, 2}, {255, 1}}) {
    Buffer altered = full;
    altered[0] = static_cast<std::uint8_t>(version);
    altered[1] = static_cast<std::uint8_t>(form);
    EXPECT_FALSE(decode_leaf(altered).ok());
  }
  const auto with_gaps = [](std::vector<std::uint64_t> gaps) {
    Encoder out;
    out.u8(kTreeVersion);
    out.u8(1);
    encode(out, Address{});
    out.raw(ShortId{});
    out.varint(gaps.size());
    for (const std::uint64_t gap : gaps) out.varint(gap);
    return decode_leaf(out.bytes()).ok();
  };
  EXPECT_TRUE(with_gaps({0, 0, kLeafEntriesMax - 3}));
  EXPECT_FALSE(with_gaps({0, 0, kLeafEntriesMax - 2}));
  EXPECT_FALSE(with_gaps({5, ~std::uint64_t{0} - 2}));  // wraps round to a position before
}

TEST(Node, RoundTripsAndRefusesWhatCannotBe) {
  Generator generator(5);
  std::vector<Child> children;
  for (const auto& [path, entry] : generator.entries(40)) {
    Child child;
    child.first_path = path;
    child.address = {{{generator.below(3), 1}, static_cast<std::uint32_t>(generator.below(1000))},
                     kSlotsMax - 1};
    child.id.fill(static_cast<std::uint8_t>(children.size()));
    child.entries = generator.below(3000);
    child.files = child.entries / 2;
    child.bytes = generator.below(~std::uint64_t{0});
    children.push_back(child);
  }
  const Buffer bytes = encode_node(3, children);
  const auto back = decode_node(bytes, 3);
  ASSERT_TRUE(back.ok());
  ASSERT_EQ(back.value().size(), children.size());
  for (std::size_t i = 0; i < children.size(); ++i) {
    const Child &a = back.value()[i], &b = children[i];
    EXPECT_EQ(std::tie(a.first_path, a.address, a.id, a.entries, a.files, a.bytes),
              std::tie(b.first_path, b.address, b.id, b.entries, b.files, b.bytes));
  }
  EXPECT_FALSE(decode_node(bytes, 2).ok());
  EXPECT_FALSE(decode_node(encode_node(0, children), 0).ok());
  EXPECT_FALSE(decode_node(encode_node(3, {}), 3).ok());
  for (std::size_t n = 0; n < bytes.size(); ++n)
    ASSERT_FALSE(decode_node(Bytes(bytes).first(n), 3).ok()) << n;
  std::swap(children[4], children[5]);
  EXPECT_FALSE(decode_node(encode_node(3, children), 3).ok());
  std::swap(children[4], children[5]);
  children[7].address.slot = kSlotsMax;  // a few bytes would ask for megabytes of a set of slots
  EXPECT_FALSE(decode_node(encode_node(3, children), 3).ok());
}

}  // namespace holdfast::model
