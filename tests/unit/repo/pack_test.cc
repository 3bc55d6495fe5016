// Packs: what PackWriter puts, PackReader gives; any flipped byte is found; parity makes good what is lost.
#include <random>

#include <gtest/gtest.h>

#include "base/codec.h"
#include "parity/parity.h"
#include "repo/names.h"
#include "repo/pack_reader.h"
#include "repo/pack_writer.h"
#include "storage/memory.h"
#include "tests/support/seeded_random.h"

namespace holdfast::repo {

namespace {

crypto::Key key_of(std::uint8_t byte) {
  const Buffer bytes(32, byte);
  return crypto::Key(Bytes(bytes));
}

const model::PackId kPack{{7, 8}, 2};

class Pack : public ::testing::Test {
 protected:
  Pack() : content_(std::make_shared<storage::MemoryContent>()), storage_(storage::open_memory(content_)) {}

  Buffer noise(std::size_t bytes) {
    Buffer out(bytes);
    for (std::size_t i = 0; i < bytes; i += 8) {
      const std::uint64_t word = mt_();
      std::memcpy(out.data() + i, &word, std::min<std::size_t>(8, bytes - i));
    }
    return out;
  }

  // Chunks of those sizes into one pack.
  void write(const std::vector<std::size_t>& sizes) {
    PackWriter writer(*storage_, {kId, session_, index_, random_}, kPack);
    for (const std::size_t size : sizes) {
      plains_.push_back(noise(size));
      const Buffer& plain = plains_.back();
      const auto id = chunk_id(ids_, model::ChunkType::data, plain);
      const auto slot =
          writer.add({id, model::ChunkType::data, Codec::raw, static_cast<std::uint32_t>(size), plain});
      ASSERT_TRUE(slot.ok());
      EXPECT_EQ(slot.value(), plains_.size() - 1);
    }
    auto finished = writer.finish({});
    ASSERT_TRUE(finished.ok());
    manifest_ = std::move(finished).value();
  }

  Result<std::unique_ptr<PackReader>> open() {
    return PackReader::open(*storage_, {kId, &session_, index_}, kPack, 0, {});
  }
  const Buffer& object() { return *content_->objects.at(pack_name(kPack, 0)); }
  void replace(Buffer bytes) {
    content_->objects[pack_name(kPack, 0)] = std::make_shared<const Buffer>(std::move(bytes));
  }

  // All chunks are what was written.
  bool all_read() {
    const auto reader = open();
    if (!reader.ok()) return false;
    for (std::uint32_t slot = 0; slot < plains_.size(); ++slot) {
      const auto plain = reader.value()->read(slot, ids_, {});
      if (!plain.ok()) return false;
      EXPECT_EQ(plain.value(), plains_[slot]);
    }
    return true;
  }

  // Whether the frame table, as `check` uses it, says that the object is whole.
  bool table_fits() {
    const Buffer& bytes = object();
    const auto decoded = decode_trailer(Bytes(bytes).last(kPackTrailerBytes));
    const auto header = decode_header(Bytes(bytes).first(kPackHeaderBytes));
    if (!decoded.ok() || !header.ok()) return false;
    const Trailer& t = decoded.value().trailer;
    const std::size_t frame = header.value().identity.frame_bytes();
    const std::size_t frames = t.frames() + t.parity_frames();
    if (bytes.size() != t.object_bytes(frame)) return false;
    const std::size_t tables = kPackHeaderBytes + frames * frame, one = frames * sizeof(Hash);
    for (const std::size_t from : {tables, tables + one}) {
      const Bytes table = Bytes(bytes).subspan(from, one);
      if (pack_root(Bytes(bytes).first(kPackHeaderBytes), t, table) != t.root) return false;
      for (std::size_t f = 0; f < frames; ++f) {
        const Hash hash = crypto::hash(Bytes(bytes).subspan(kPackHeaderBytes + f * frame, frame));
        if (!std::equal(hash.begin(), hash.end(),
                        table.begin() + static_cast<std::ptrdiff_t>(f * sizeof(Hash))))
          return false;
      }
    }
    return t.root == manifest_.root;
  }

  // Takes `count` frames of every stripe away and has parity bring them back.
  void lose_and_repair(unsigned count) {
    const Buffer before = object();
    const auto reader = open();
    ASSERT_TRUE(reader.ok());
    const Trailer t = reader.value()->trailer();
    const std::size_t frame = reader.value()->header().identity.frame_bytes();
    Buffer bytes = before;
    std::vector<MutableBytes> frames;
    for (std::uint32_t f = 0; f < t.frames() + t.parity_frames(); ++f) {
      frames.push_back(MutableBytes(bytes).subspan(kPackHeaderBytes + f * frame, frame));
    }
    std::vector<bool> lost(frames.size());
    for (std::uint32_t stripe = 0; stripe < t.stripes; ++stripe) {
      std::vector<std::size_t> members;
      for (std::size_t f = stripe; f < t.frames(); f += t.stripes) members.push_back(f);
      for (std::size_t p = 0; p < t.parity_per_stripe; ++p)
        members.push_back(t.frames() + stripe * t.parity_per_stripe + p);
      std::shuffle(members.begin(), members.end(), mt_);
      for (unsigned i = 0; i < std::min<unsigned>(count, t.parity_per_stripe); ++i) {
        lost[members[i]] = true;
        std::fill(frames[members[i]].begin(), frames[members[i]].end(), std::uint8_t{0xee});
      }
    }
    ASSERT_NE(bytes, before);
    ASSERT_TRUE(parity::repair(frames, lost, t.frames(), {t.stripes, t.parity_per_stripe}).ok());
    EXPECT_TRUE(bytes == before);
  }

  static constexpr RepositoryId kId{1, 2, 3};
  SessionKey session_{{3, 4}, key_of(1)};
  crypto::Key index_ = key_of(2), ids_ = key_of(3);
  testing::SeededRandom random_{4};
  std::mt19937_64 mt_{5};
  std::shared_ptr<storage::MemoryContent> content_;
  std::unique_ptr<storage::Storage> storage_;
  std::vector<Buffer> plains_;
  model::ManifestPack manifest_;
};

struct Shape {
  const char* name;
  std::vector<std::size_t> sizes;
  unsigned frame_log2;
  unsigned stripes;
};

class PackShapes : public Pack, public ::testing::WithParamInterface<Shape> {};

std::vector<Shape> shapes() {
  constexpr std::size_t kLargePayload = 65536 - kFrameOverheadBytes;
  return {
      {"one_byte", {1}, 12, 1},
      {"many_small", std::vector<std::size_t>(3000, 41), 13, 1},
      {"below_short_border", {kShortPackBytes - 1}, 16, 1},
      {"at_short_border", {kShortPackBytes}, 16, 1},
      {"above_short_border", {kShortPackBytes - 1, 2}, 16, 1},
      {"frame_border", {kLargePayload * 20, kLargePayload, 1}, 16, 1},
      {"stripe_full", {kLargePayload * 100, kLargePayload * 23}, 16, 1},  // with its directory, 124 frames
      {"stripe_border", {kLargePayload * 100, kLargePayload * 24}, 16, 2}};
}

}  // namespace

TEST_P(PackShapes, ComesBackAndIsWholeAndRepairs) {
  const Shape& shape = GetParam();
  write(shape.sizes);
  EXPECT_EQ(manifest_.pack, kPack.pack);
  EXPECT_EQ(manifest_.object_bytes, object().size());
  ASSERT_EQ(manifest_.chunks.size(), shape.sizes.size());
  EXPECT_EQ(manifest_.chunks.back().stored_bytes, shape.sizes.back());
  const auto reader = open();
  ASSERT_TRUE(reader.ok()) << reader.error().text();
  EXPECT_EQ(reader.value()->header().identity.frame_log2, shape.frame_log2);
  EXPECT_EQ(reader.value()->trailer().stripes, shape.stripes);
  EXPECT_TRUE(all_read());
  EXPECT_TRUE(table_fits());
  EXPECT_EQ(reader.value()->read(static_cast<std::uint32_t>(shape.sizes.size()), ids_, {}).error().kind(),
            Errc::damaged);
  for (const unsigned lost : {1u, 4u}) lose_and_repair(lost);
}

INSTANTIATE_TEST_SUITE_P(All, PackShapes, ::testing::ValuesIn(shapes()),
                         [](const auto& shape) { return shape.param.name; });

TEST_F(Pack, AFullPackWithALargeLastChunkIsWritten) {
  std::vector<std::size_t> sizes(15, 4 * kMiB);
  sizes.push_back(2 * kMiB);
  sizes.push_back(16 * kMiB);  // more than nine stripes hold
  write(sizes);
  EXPECT_TRUE(table_fits());
  EXPECT_TRUE(all_read());
  lose_and_repair(4);
}

TEST_F(Pack, AChunkThatReadersWouldRefuseIsRefused) {
  PackWriter writer(*storage_, {kId, session_, index_, random_}, kPack);
  const Buffer stored = noise(100);
  const auto add = [&](std::uint32_t plain_bytes) {
    return writer.add({{}, model::ChunkType::leaf, Codec::zstd, plain_bytes, stored});
  };
  EXPECT_TRUE(add(kChunkPlainBytesMax).ok());
  const auto refused = add(kChunkPlainBytesMax + 1);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind(), Errc::unsupported);
  ASSERT_TRUE(writer.finish({}).ok());
  EXPECT_TRUE(open().ok());
}

TEST_F(Pack, AnyFlippedByteIsFoundAndMadeGood) {
  write({3000, 1, 5000});
  const Buffer good = object();
  const std::size_t frames_end = kPackHeaderBytes + 4096 * std::size_t{open().value()->trailer().frames()};
  for (std::size_t at = 0; at < good.size();
       at += at < kPackHeaderBytes + 100 || at + 6000 > good.size() ? 1 : 13) {
    Buffer bad = good;
    bad[at] ^= 0x40;
    replace(std::move(bad));
    ASSERT_FALSE(table_fits()) << at;
    ASSERT_TRUE(all_read()) << at;
  }
  // Cut off: readable as long as data and directory are there.
  for (std::size_t n = 1; n < good.size(); n += 997) {
    replace(Buffer(good.begin(), good.end() - static_cast<std::ptrdiff_t>(n)));
    ASSERT_EQ(all_read(), good.size() - n >= frames_end) << n;
  }
}

TEST_F(Pack, OpensUnderItsOwnNameAndKeysOnly) {
  write({100});
  const model::PackId other{{7, 8}, 4};
  content_->objects[pack_name(other, 0)] = content_->objects.at(pack_name(kPack, 0));
  const SessionKey wrong{session_.place, key_of(9)};
  const SessionKey elsewhere{{3, 5}, key_of(1)}, other_domain{{2, 4}, key_of(1)};
  const auto kind = [&](const PackReader::Keys& keys, const model::PackId& id) {
    const auto opened = PackReader::open(*storage_, keys, id, 0, {});
    return opened.ok() ? std::string("ok") : std::string(word(opened.error().kind()));
  };
  EXPECT_EQ(kind({kId, &session_, index_}, kPack), "ok");
  EXPECT_EQ(kind({kId, nullptr, index_}, kPack), "ok");
  EXPECT_EQ(kind({kId, &session_, index_}, other), "damaged");
  EXPECT_EQ(kind({RepositoryId{}, &session_, index_}, kPack), "damaged");
  EXPECT_EQ(kind({kId, &wrong, index_}, kPack), "wrong key");
  EXPECT_EQ(kind({kId, &elsewhere, index_}, kPack), "damaged");
  EXPECT_EQ(kind({kId, &other_domain, index_}, kPack), "damaged");
  EXPECT_EQ(kind({kId, &session_, wrong.secret}, kPack), "damaged");
  EXPECT_EQ(kind({kId, &session_, index_}, {{7, 8}, 6}), "not found");
  EXPECT_EQ(open().value()->read(0, wrong.secret, {}).error().kind(),
            Errc::damaged);  // an id under another key
}

namespace {

// A header block with its digest made right.
Buffer header_with(std::uint32_t generation, std::uint32_t frames, std::uint32_t map_bytes) {
  Buffer header = encode_header({});
  header.resize(kIdentityBytes);
  Encoder rest;
  rest.u32(generation);
  rest.u32(frames);
  rest.u32(map_bytes);
  append(header, rest.bytes());
  header.resize(kPackHeaderBytes - sizeof(Hash));
  append(header, crypto::hash(header));
  return header;
}

}  // namespace

TEST(PackFormat, AMapOfKeptFramesThatCannotBeIsRefused) {
  EXPECT_TRUE(decode_header(header_with(0, 0, 0)).ok());
  EXPECT_TRUE(decode_header(header_with(1, 16, 2)).ok());
  EXPECT_FALSE(decode_header(header_with(0, 16, 2)).ok());
  EXPECT_FALSE(decode_header(header_with(1, 17, 2)).ok());
  EXPECT_FALSE(decode_header(header_with(1, 0, 1)).ok());
  EXPECT_FALSE(decode_header(header_with(1, 8 * 4000, 4000)).ok());
  EXPECT_FALSE(decode_header(header_with(1, ~0u, 0)).ok());  // a sum that wraps round to nothing
  EXPECT_FALSE(decode_header(header_with(1, 8, ~0u)).ok());
}

TEST(PackFormat, RelocationKeepsTheIdentity) {
  Header header;
  header.identity.pack = kPack;
  const Buffer first = encode_header(header);
  KeptFrames kept{3, 11, std::vector<bool>(11)};
  kept.kept[0] = kept.kept[8] = kept.kept[10] = true;
  const Buffer moved = relocated_header(first, kept);
  EXPECT_EQ(identity_hash(moved), identity_hash(first));
  const auto decoded = decode_header(moved);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded.value().kept.generation, 3u);
  EXPECT_EQ(decoded.value().kept.kept, kept.kept);
  const auto trailer = decode_trailer(encode_trailer({1, 1, 1, 2, 100, 1, {}}, moved));
  ASSERT_TRUE(trailer.ok());
  EXPECT_EQ(trailer.value().header, moved);
}

TEST(PackFormat, DirectoriesThatReachBeyondTheStreamAreRefused) {
  const auto good = [](DirectoryEntry e) { return decode_directory(encode_directory({e}), 100).ok(); };
  DirectoryEntry e;
  e.offset = 60;
  e.stored_bytes = e.plain_bytes = 40;
  EXPECT_TRUE(good(e));
  e.offset = 61;
  EXPECT_FALSE(good(e));
  e.offset = ~0u - 30;  // would wrap round
  EXPECT_FALSE(good(e));
  e.offset = 0;
  e.plain_bytes = 41;
  EXPECT_FALSE(good(e));
  e.codec = Codec::zstd;
  EXPECT_TRUE(good(e));
  e.stored_bytes = 0;
  EXPECT_FALSE(good(e));
  const Buffer bytes = encode_directory(std::vector<DirectoryEntry>(3, {{}, 0, 1, 1}));
  EXPECT_TRUE(decode_directory(bytes, 100).ok());
  for (std::size_t n = 0; n < bytes.size(); ++n)
    EXPECT_FALSE(decode_directory(Bytes(bytes).first(n), 100).ok());
}

}  // namespace holdfast::repo
