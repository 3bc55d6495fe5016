// Relocation of packs: what is kept reads as before, what is dropped refuses, damage is repaired or told, and
// the object is a function of the pack and of what is kept.
#include "repo/relocate.h"
#include "parity/parity.h"
#include "repo/names.h"
#include "repo/pack_reader.h"
#include "repo/pack_writer.h"
#include "storage/memory.h"
#include "tests/model/gc_world.h"

namespace holdfast::testing {
namespace {

using repo::Relocation;

crypto::Key key_of(std::uint8_t fill) {
  crypto::Key key;
  std::fill(key.writable().begin(), key.writable().end(), fill);
  return key;
}

class RelocateTest : public ::testing::Test {
 protected:
  // Chunks of up to `bytes_max` bytes.
  void write(std::uint64_t seed, std::size_t chunks, std::size_t bytes_max) {
    random.seed(seed);
    repo::PackWriter writer(*store, {repository, session, index, salts}, pack);
    for (std::size_t i = 0; i < chunks; ++i) {
      plains.push_back(noise(random(), 1 + random() % bytes_max));
      const Bytes bytes = as_bytes(plains.back());
      const auto size = static_cast<std::uint32_t>(bytes.size());
      const model::ChunkId id = repo::chunk_id(ids, model::ChunkType::data, bytes);
      ASSERT_EQ(writer.add({id, model::ChunkType::data, repo::Codec::raw, size, bytes}).value(), i);
    }
    manifest = writer.finish({}).value();
  }
  Result<std::uint64_t> relocate(std::uint32_t from, std::uint32_t to, const model::Slots& kept) {
    return repo::relocate(*store, repository, index, {pack, from, to, kept}, {});
  }
  model::Slots some(unsigned one_in) {
    model::Slots slots;
    for (std::uint32_t i = 0; i < plains.size(); ++i) {
      if (random() % one_in == 0) slots.insert(i);
    }
    if (slots.empty()) slots.insert(0);
    return slots;
  }
  // Every kept chunk comes back; of the others none comes back wrong.
  std::size_t check(std::uint32_t generation, const model::Slots& kept) {
    const auto reader =
        repo::PackReader::open(*store, {repository, &session, index}, pack, generation, {}).value();
    std::size_t refused = 0;
    for (std::uint32_t i = 0; i < plains.size(); ++i) {
      const auto read = reader->read(i, ids, {});
      if (kept.contains(i)) {
        EXPECT_TRUE(read.ok() && as_text(read.value()) == plains[i]) << i;
      } else if (!read.ok()) {
        EXPECT_EQ(read.error().kind(), Errc::damaged);
        ++refused;
      } else {
        EXPECT_EQ(as_text(read.value()), plains[i]);  // its frames were kept for its neighbours
      }
    }
    return refused;
  }
  Buffer& object(std::uint32_t generation) {
    auto& shared = content->objects.at(repo::pack_name(pack, generation));
    auto copy = std::make_shared<Buffer>(*shared);
    shared = copy;
    return *copy;
  }

  std::mt19937_64 random;
  SeededRandom salts{5};
  std::shared_ptr<storage::MemoryContent> content = std::make_shared<storage::MemoryContent>();
  std::unique_ptr<storage::Storage> store = storage::open_memory(content);
  const repo::RepositoryId repository{1, 2, 3};
  const repo::SessionKey session{{}, key_of(1)};
  const crypto::Key index = key_of(2), ids = key_of(3);
  const model::PackId pack{{7, 1}, 4};
  std::vector<std::string> plains;
  model::ManifestPack manifest;
};

TEST_F(RelocateTest, KeepsWhatIsKeptThroughManyMoves) {
  for (const std::size_t bytes_max : {200u, 5'000u, 150'000u}) {
    content->objects.clear();
    plains.clear();
    write(bytes_max, 60, bytes_max);
    std::uint32_t from = 0;
    model::Slots kept;
    for (std::uint32_t i = 0; i < plains.size(); ++i) kept.insert(i);
    for (const std::uint32_t to : {3u, 9u, 10u, 200u}) {
      model::Slots fewer;
      for (std::uint32_t i = 0; i < plains.size(); ++i) {
        if (kept.contains(i) && random() % 3 != 0) fewer.insert(i);
      }
      if (fewer.empty()) break;
      kept = fewer;
      const std::uint64_t bytes = relocate(from, to, kept).value();
      EXPECT_EQ(bytes, repo::bytes_of(kept, manifest));
      EXPECT_EQ(bytes, object(to).size());
      check(to, kept);
      content->objects.erase(repo::pack_name(pack, from));
      from = to;
    }
  }
}

TEST_F(RelocateTest, DroppedChunksRefuse) {
  write(1, 40, 200'000);
  model::Slots one;
  one.insert(20);
  relocate(0, 5, one).value();
  EXPECT_GE(check(5, one), 37u);
  model::Slots more = one;
  more.insert(0);
  EXPECT_EQ(relocate(5, 6, more).error().kind(), Errc::damaged);  // what was dropped can't come back
  model::Slots absent;
  absent.insert(40);
  EXPECT_EQ(relocate(0, 7, absent).error().kind(), Errc::damaged);
}

TEST_F(RelocateTest, IsAFunctionOfThePackAndWhatIsKept) {
  write(2, 40, 100'000);
  const model::Slots kept = some(3);
  relocate(0, 8, kept).value();
  const Buffer first = object(8);
  EXPECT_TRUE(relocate(0, 8, kept).ok());  // it is there, and the same
  content->objects.erase(repo::pack_name(pack, 8));
  relocate(0, 8, kept).value();
  EXPECT_TRUE(object(8) == first);
  object(8)[first.size() / 2] ^= 1;
  EXPECT_EQ(relocate(0, 8, kept).error().kind(), Errc::conflict);
}

TEST_F(RelocateTest, RepairsFramesOnTheWay) {
  write(3, 40, 100'000);
  const model::Slots kept = some(2);
  relocate(0, 8, kept).value();
  const Buffer good = object(8);
  content->objects.erase(repo::pack_name(pack, 8));
  constexpr std::size_t kFrame = 65536;
  for (const std::size_t frame : {0u, 5u, 6u, 17u})
    object(0)[repo::kPackHeaderBytes + frame * kFrame + 99] ^= 0x40;
  relocate(0, 8, kept).value();
  EXPECT_TRUE(object(8) == good);
  // And from a relocated one, by its own parity.
  object(8)[repo::kPackHeaderBytes + 2 * kFrame] ^= 1;
  relocate(8, 9, kept).value();
  check(9, kept);
}

TEST_F(RelocateTest, TellsWhatIsLost) {
  write(4, 40, 100'000);
  const model::Slots kept = some(1);
  constexpr std::size_t kFrame = 65536;
  for (std::size_t frame = 0; frame < 5; ++frame) object(0)[repo::kPackHeaderBytes + frame * kFrame] ^= 1;
  EXPECT_EQ(relocate(0, 8, kept).error().kind(), Errc::damaged);
  EXPECT_EQ(relocate(1, 8, kept).error().kind(), Errc::not_found);
  EXPECT_EQ(content->objects.size(), 1u);
}

TEST_F(RelocateTest, DoesWithOneTableAndWithNone) {
  write(5, 40, 100'000);
  const model::Slots kept = some(2);
  Buffer& bytes = object(0);
  const auto trailer = repo::decode_trailer(Bytes(bytes).last(repo::kPackTrailerBytes)).value().trailer;
  const std::size_t frames = trailer.frames() + trailer.parity_frames();
  const std::size_t table = repo::kPackHeaderBytes + frames * 65536;
  bytes[table + 7] ^= 1;
  relocate(0, 8, kept).value();
  check(8, kept);
  bytes[table + frames * 32 + 7] ^= 1;
  relocate(0, 9, kept).value();  // both: the frames themselves fit the root
  check(9, kept);
  bytes[repo::kPackHeaderBytes] ^= 1;  // the frame of which both hashes are damaged
  EXPECT_EQ(relocate(0, 10, kept).error().kind(), Errc::damaged);
}

}  // namespace
}  // namespace holdfast::testing
