// What decoders must refuse although every read of it succeeds. Each was found by a fuzz target or in making
// one.
#include <gtest/gtest.h>

#include <limits>

#include "model/tree.h"
#include "repo/names.h"
#include "repo/pack_format.h"

namespace holdfast::repo {
namespace {

using namespace model;

TEST(Refusal, KeptMapWhoseSizeOverflows) {
  Buffer header = encode_header({});
  header.resize(kIdentityBytes);
  Encoder rest;
  rest.u32(1);           // generation
  rest.u32(0xffffffff);  // frames: (n + 7) / 8 is 0 in 32 bits
  rest.u32(0);           // bytes of the map
  append(header, rest.bytes());
  header.resize(kPackHeaderBytes - sizeof(Hash));
  append(header, crypto::hash(header));
  EXPECT_FALSE(decode_header(header).ok());
}

TEST(Refusal, RemovedPositionsThatWrapAround) {
  Encoder leaf;
  leaf.u8(0);
  leaf.u8(1);
  encode(leaf, Address{});
  leaf.raw(ShortId{});
  leaf.varint(2);
  leaf.varint(5);
  leaf.varint(std::numeric_limits<std::uint64_t>::max() - 5);  // 6 + this = 0 modulo 2^64
  EXPECT_FALSE(decode_leaf(leaf.bytes()).ok());
}

Buffer block_with_time(std::int64_t seconds, std::int64_t nanoseconds, std::uint64_t uid) {
  Encoder out;
  out.varint(2);  // entries
  out.varint(0);  // transactions
  out.varint(0);  // chunks
  out.varint(1);  // attributes
  out.u8(3);
  out.varint(0644);
  out.varint(uid);
  out.varint(0);
  out.string("");
  out.string("");
  out.varint(0);
  for (const char* path : {"a", "b"}) {
    out.varint(0);
    out.string(path);
  }
  out.varint(0);
  out.varint(0);
  out.svarint(seconds);
  out.svarint(0);
  out.svarint(1);
  out.svarint(nanoseconds);
  out.varint(0);  // links
  out.varint(0);  // flags
  return out.take();
}

TEST(Refusal, NanosecondsThatOverflow) {
  std::vector<Entry> entries;
  EXPECT_TRUE(decode_block(block_with_time(7, 999'999'998, 0), entries).ok());
  EXPECT_EQ(entries[1].mtime.nanoseconds, 999'999'999u);
  EXPECT_FALSE(decode_block(block_with_time(7, 999'999'999, 0), entries).ok());
  EXPECT_FALSE(decode_block(block_with_time(7, std::numeric_limits<std::int64_t>::max(), 0), entries).ok());
  EXPECT_FALSE(decode_block(block_with_time(7, -2, 0), entries).ok());
}

TEST(Refusal, NumbersBeyondTheirField) {
  std::vector<Entry> entries;
  EXPECT_TRUE(decode_block(block_with_time(7, 0, 0xffffffffu), entries).ok());
  EXPECT_FALSE(decode_block(block_with_time(7, 0, 0x100000000u), entries).ok());
}

TEST(Refusal, NoTimesAreTooFarApartToEncode) {
  std::vector<Entry> entries(2);
  entries[0].path = "a";
  entries[1].path = "b";
  entries[0].mtime.seconds = std::numeric_limits<std::int64_t>::min();
  entries[1].mtime.seconds = std::numeric_limits<std::int64_t>::max();
  Encoder block;
  encode_block(block, entries);
  std::vector<Entry> back;
  ASSERT_TRUE(decode_block(block.bytes(), back).ok());
  EXPECT_EQ(back, entries);
}

Buffer page_of(std::initializer_list<std::uint32_t> packs, std::uint64_t gap) {
  Encoder out;
  out.varint(packs.size());
  for (std::uint32_t pack : packs) {
    encode(out, PackId{{1, 1}, pack});
    out.varint(1);
    out.varint(gap);
    out.varint(1);
  }
  return out.take();
}

TEST(Refusal, ReferencePages) {
  References packs;
  EXPECT_TRUE(decode_page(page_of({1, 2}, 65535), packs).ok());
  EXPECT_FALSE(decode_page(page_of({2, 1}, 0), packs).ok());
  EXPECT_FALSE(decode_page(page_of({2, 2}, 0), packs).ok());
  EXPECT_FALSE(decode_page(page_of({1, 2}, 65536), packs).ok());
}

TEST(Refusal, ManifestChunkOfNoType) {
  for (const auto& [type, good] : {std::pair{0, false}, {1, true}, {4, true}, {5, false}}) {
    const ManifestChunk chunk{{}, static_cast<ChunkType>(type), 1, 1};
    EXPECT_EQ(decode_manifest(encode(Manifest{{1, 1}, {{0, 1, {}, {chunk}}}})).ok(), good) << type;
  }
}

TEST(Refusal, NamesInUpperCase) {
  const std::string name = transaction_name({0xabc, 1}, "man");
  EXPECT_TRUE(parse_transaction_name(name).has_value());
  EXPECT_FALSE(parse_transaction_name("t/0000000000000ABC-00000001/man").has_value());
  EXPECT_TRUE(parse_log_name(log_name(0xa)).has_value());
  EXPECT_FALSE(parse_log_name("log/000000000000000A").has_value());
}

}  // namespace
}  // namespace holdfast::repo
