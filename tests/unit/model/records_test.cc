// Commits and manifests: round trip, and refused wherever they are cut or say what can't be.
#include <gtest/gtest.h>

#include "model/commit.h"

namespace holdfast::model {

namespace {

template <std::size_t N>
std::array<std::uint8_t, N> filled(std::uint8_t from) {
  std::array<std::uint8_t, N> out{};
  for (std::size_t i = 0; i < N; ++i) out[i] = static_cast<std::uint8_t>(from + i);
  return out;
}

Commit sample() {
  Commit c;
  c.transaction = {0x0123456789abcdef, 7};
  c.run = filled<16>(1);
  c.kind = CommitKind::checkpoint;
  c.partial = true;
  c.mode = BackupMode::differential;
  c.previous_sequence = 6;
  c.previous_hash = filled<32>(50);
  c.start = {1'700'000'000, 999'999'999};
  c.end = {-1, 0};
  c.zone_minutes = -570;
  c.host = "host";
  c.user = "ann";
  c.program = "holdfast 0.1";
  c.paths = {"/home",
             "/e\xff"
             "c"};
  c.tags = {"a", ""};
  c.excludes = {"*.tmp"};
  c.parent = TransactionId{9, 3};
  Root root;
  root.name = "top";
  root.level = 2;
  root.address = {{{9, 3}, 1}, 44};
  root.id = filled<16>(90);
  root.entries = 1'000'000;
  root.files = 900'000;
  root.bytes = std::uint64_t{1} << 50;
  c.roots = {root, root};
  c.roots[1].type = 2;
  c.statistics = {{"files_new", 3}, {"x", ~std::uint64_t{0}}};
  c.manifest_hash = filled<32>(100);
  c.refs_hash = filled<32>(150);
  c.pages = {{{9, 3}, 0}, {{0x0123456789abcdef, 7}, 300}};
  return c;
}

void expect_equal(const Commit& a, const Commit& b) {
  EXPECT_EQ(a.transaction, b.transaction);
  EXPECT_EQ(a.run, b.run);
  EXPECT_EQ(a.kind, b.kind);
  EXPECT_EQ(a.partial, b.partial);
  EXPECT_EQ(a.mode, b.mode);
  EXPECT_EQ(a.previous_sequence, b.previous_sequence);
  EXPECT_EQ(a.previous_hash, b.previous_hash);
  EXPECT_EQ(a.start, b.start);
  EXPECT_EQ(a.end, b.end);
  EXPECT_EQ(a.zone_minutes, b.zone_minutes);
  EXPECT_EQ(a.host + "|" + a.user + "|" + a.program, b.host + "|" + b.user + "|" + b.program);
  EXPECT_EQ(a.paths, b.paths);
  EXPECT_EQ(a.tags, b.tags);
  EXPECT_EQ(a.excludes, b.excludes);
  EXPECT_EQ(a.parent, b.parent);
  ASSERT_EQ(a.roots.size(), b.roots.size());
  for (std::size_t i = 0; i < a.roots.size(); ++i) {
    const Root &x = a.roots[i], &y = b.roots[i];
    EXPECT_EQ(std::tie(x.type, x.name, x.level, x.address, x.id),
              std::tie(y.type, y.name, y.level, y.address, y.id));
    EXPECT_EQ(std::tie(x.entries, x.files, x.bytes), std::tie(y.entries, y.files, y.bytes));
  }
  EXPECT_EQ(a.statistics, b.statistics);
  EXPECT_EQ(a.manifest_hash, b.manifest_hash);
  EXPECT_EQ(a.refs_hash, b.refs_hash);
  EXPECT_EQ(a.pages, b.pages);
}

template <typename Decode>
void expect_refused_when_cut(const Buffer& bytes, Decode decode) {
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    const Buffer cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
    const auto result = decode(cut);
    ASSERT_FALSE(result.ok()) << n;
    EXPECT_EQ(result.error().kind(), Errc::damaged);
  }
  Buffer longer = bytes;
  longer.push_back(0);
  EXPECT_FALSE(decode(longer).ok());
}

}  // namespace

TEST(CommitRecord, RoundTripsAndIsRefusedWhenCut) {
  const Commit commit = sample();
  const Buffer bytes = encode(commit);
  const auto back = decode_commit(bytes);
  ASSERT_TRUE(back.ok()) << back.error().text();
  expect_equal(back.value(), commit);
  EXPECT_EQ(encode(back.value()), bytes);
  expect_refused_when_cut(bytes, decode_commit);

  Commit least;
  const auto empty = decode_commit(encode(least));
  ASSERT_TRUE(empty.ok());
  expect_equal(empty.value(), least);
  EXPECT_EQ(commit.statistic("files_new"), 3u);
  EXPECT_EQ(commit.statistic("other"), 0u);
}

TEST(CommitRecord, UnknownKindsFlagsAndModesAreRefused) {
  constexpr std::size_t kKindAt = 12 + 16 + 4;
  const Buffer bytes = encode(sample());
  for (std::size_t field = 0; field < 3; ++field) {
    for (int value = 0; value < 256; ++value) {
      Buffer altered = bytes;
      altered[kKindAt + field] = static_cast<std::uint8_t>(value);
      const bool known = field == 0 ? value == 1 || value == 2 : field == 1 ? value <= 1 : value <= 2;
      EXPECT_EQ(decode_commit(altered).ok(), known) << field << ": " << value;
    }
  }
}

TEST(CommitRecord, ATimeHasLessThanASecondOfNanoseconds) {
  for (const std::uint32_t ns : {0u, 999'999'999u, 1'000'000'000u, ~0u}) {
    Encoder out;
    encode(out, Time{std::numeric_limits<std::int64_t>::min(), ns});
    Decoder in(out.bytes());
    const Time back = decode_time(in);
    EXPECT_EQ(in.finish("a time").ok(), ns < 1'000'000'000u);
    EXPECT_EQ(back.seconds, std::numeric_limits<std::int64_t>::min());
  }
}

TEST(ManifestRecord, RoundTripsAndIsRefusedWhenCut) {
  Manifest manifest;
  manifest.transaction = {5, 6};
  manifest.packs.resize(2);
  manifest.packs[0] = {0, 123'456'789'012, filled<32>(3), {}};
  manifest.packs[1] = {
      1,
      9000,
      filled<32>(4),
      {{filled<32>(5), ChunkType::leaf, ~0u, 1}, {filled<32>(6), ChunkType::data, 0, 1u << 31}}};
  const Buffer bytes = encode(manifest);
  const auto decoded = decode_manifest(bytes);
  ASSERT_TRUE(decoded.ok());
  const Manifest& back = decoded.value();
  EXPECT_EQ(back.transaction, manifest.transaction);
  ASSERT_EQ(back.packs.size(), 2u);
  EXPECT_EQ(back.packs[0].object_bytes, 123'456'789'012u);
  EXPECT_EQ(back.packs[1].root, filled<32>(4));
  ASSERT_EQ(back.packs[1].chunks.size(), 2u);
  EXPECT_EQ(back.packs[1].chunks[0].id, filled<32>(5));
  EXPECT_EQ(back.packs[1].chunks[0].type, ChunkType::leaf);
  EXPECT_EQ(back.packs[1].chunks[0].plain_bytes, ~0u);
  EXPECT_EQ(back.packs[1].chunks[1].stored_bytes, 1u << 31);
  EXPECT_EQ(encode(back), bytes);
  expect_refused_when_cut(bytes, decode_manifest);
}

}  // namespace holdfast::model
