// Of changed files only what changed is stored: pieces by themselves, what is remembered of them, and whole
// backups of edited files.

#include <fcntl.h>
#include <sys/stat.h>

#include "flow/patch.h"
#include "flow/piece_store.h"
#include "flow/storer.h"
#include "repo/names.h"
#include "repo/tree_writer.h"
#include "storage/memory.h"
#include "tests/support/backup_world.h"

namespace holdfast::flow {

namespace {

using testing::BackupWorld;
using testing::FileSet;
using testing::noise;
using testing::prose;

PieceId id_of(std::uint8_t name) {
  PieceId id{};
  id[0] = name;
  return id;
}

model::Address chunk(std::uint32_t slot) { return {{{1, 1}, 0}, slot}; }

model::Extent extent(std::uint32_t slot, std::uint64_t offset, std::uint64_t length) {
  return {chunk(slot), {}, offset, length, false};
}

std::string text(const std::vector<Part>& parts) {
  std::string out;
  for (const Part& part : parts) {
    out += part.known ? fmt::format("[{}@{}:{}]", part.length, part.where.chunk.slot, part.where.offset)
                      : fmt::format("({})", part.length);
  }
  return out;
}

TEST(Pieces, KnownOnesInARowAreOnePart) {
  OldPieces old;
  old.add(extent(3, 0, 600), {{100, id_of(1)}, {200, id_of(2)}, {300, id_of(3)}});
  EXPECT_EQ(text(old.divide({{100, id_of(1)}, {200, id_of(2)}, {50, id_of(9)}, {300, id_of(3)}})),
            "[300@3:0](50)[300@3:300]");
}

TEST(Pieces, OnlyThoseThatLieWhollyInTheOldContentCount) {
  OldPieces old;
  // The file has [150, 650) of the chunk: the first piece and the last are others' too.
  old.add(extent(3, 150, 500), {{200, id_of(1)}, {300, id_of(2)}, {200, id_of(3)}});
  EXPECT_EQ(text(old.divide({{200, id_of(1)}, {300, id_of(2)}, {200, id_of(3)}})), "(200)[300@3:200](200)");
}

TEST(Pieces, OfEqualOnesTheOneThatGoesOnIsTaken) {
  OldPieces old;
  old.add(extent(3, 0, 300), {{100, id_of(5)}, {200, id_of(2)}});
  old.add(extent(4, 0, 300), {{200, id_of(7)}, {100, id_of(5)}});
  EXPECT_EQ(text(old.divide({{200, id_of(7)}, {100, id_of(5)}})), "[300@4:0]");
}

TEST(Pieces, UnknownIdsAndOtherLengthsNeverMatch) {
  OldPieces old;
  old.add(extent(3, 0, 300), {{100, {}}, {200, id_of(2)}});
  EXPECT_EQ(text(old.divide({{100, {}}, {201, id_of(2)}})), "(301)");
}

crypto::Key key_of(std::uint8_t name) {
  std::array<std::uint8_t, 32> bytes{};
  bytes[0] = name;
  return crypto::Key(bytes);
}

std::vector<Piece> pieces_of(std::string_view data, std::uint8_t key = 1) {
  std::vector<Piece> pieces;
  PieceCutter(key_of(key)).cut(as_bytes(data), pieces);
  return pieces;
}

std::string lengths(const std::vector<Piece>& pieces) {
  std::string out;
  for (const Piece& piece : pieces) out += fmt::format("{} ", piece.length);
  return out;
}

// The header's definition, word for word, with the numbers that the key gives.
std::string reference_lengths(std::string_view data, std::uint8_t key) {
  const crypto::Key secret = crypto::derive_key("holdfast 0 piece boundary", {key_of(key).bytes()});
  Decoder in(secret.bytes());
  std::array<std::uint16_t, 4> factors;
  for (std::uint16_t& factor : factors) factor = in.u16() | 1;
  const std::uint16_t term = in.u16();
  std::string out;
  while (!data.empty()) {
    std::size_t p = std::min(data.size(), PieceCutter::kLengthMin);
    for (; p < std::min(data.size(), PieceCutter::kLengthMax); ++p) {
      unsigned sum = term;
      for (std::size_t i = 0; i < 4; ++i) {
        const auto low = static_cast<std::uint8_t>(data[p - 8 + 2 * i]);
        const auto high = static_cast<std::uint8_t>(data[p - 7 + 2 * i]);
        sum += (low + 256u * high) * factors[i];
      }
      if (sum % 65536 < (p < PieceCutter::kLengthUsual ? 4u : 64u)) break;
    }
    out += fmt::format("{} ", p);
    data = data.substr(p);
  }
  return out;
}

TEST(Pieces, EndWhereTheDefinitionSays) {
  for (const std::size_t size :
       {1u, 1023u, 1024u, 1025u, 1040u, 4095u, 4096u, 4100u, 16384u, 16385u, 300'007u}) {
    for (std::uint8_t key = 1; key < 4; ++key) {
      for (const std::string& data : {noise(size, size), prose(size, size), std::string(size, '\0')}) {
        ASSERT_EQ(lengths(pieces_of(data, key)), reference_lengths(data, key)) << size;
      }
    }
  }
}

TEST(Pieces, AreAboutAsLongAsTheyShouldBe) {
  EXPECT_NEAR(static_cast<double>(pieces_of(noise(8 * kMiB, 1)).size()), 2048, 400);
}

TEST(Pieces, FallBackIntoStepAfterAnInsertion) {
  const std::string data = noise(400'000, 2);
  std::set<PieceId> before;
  for (const Piece& piece : pieces_of(data)) before.insert(piece.id);
  int unknown = 0;
  for (const Piece& piece : pieces_of(data.substr(0, 200'000) + "x" + data.substr(200'000)))
    unknown += before.contains(piece.id) ? 0 : 1;
  EXPECT_GE(unknown, 1);
  EXPECT_LE(unknown, 3);
}

TEST(Pieces, DividingHasToPay) {
  EXPECT_TRUE(worth_dividing({{0, 500, true, {}}, {500, 500, false, {}}}));
  EXPECT_FALSE(worth_dividing({{0, 499, true, {}}, {499, 500, false, {}}}));
  EXPECT_FALSE(worth_dividing(std::vector<Part>(9, {0, 100, true, {}})));  // too many places
}

TEST(Patch, KeepsTheOrderAcrossChunks) {
  std::vector<std::string> stored;
  Patch patch([&](Bytes bytes, std::stop_token) -> Result<model::Extent> {
    stored.push_back(std::string(as_text(bytes)));
    return extent(static_cast<std::uint32_t>(100 + stored.size()), 0, bytes.size());
  });
  const std::string half = noise(600'000, 1);
  patch.keep(extent(3, 0, 10));
  ASSERT_TRUE(patch.add(as_bytes(half), {}).ok());
  patch.keep(extent(3, 50, 10));
  patch.keep(extent(3, 60, 10));
  ASSERT_TRUE(patch.add(as_bytes(half), {}).ok());
  ASSERT_TRUE(patch.add(as_bytes("tail"), {}).ok());
  patch.keep(hole(7));
  const auto content = patch.finish({});
  ASSERT_TRUE(content.ok());
  std::string words;
  for (const model::Extent& e : content.value()) {
    words +=
        e.hole ? fmt::format("-{} ", e.length) : fmt::format("{}:{}+{} ", e.chunk.slot, e.offset, e.length);
  }
  EXPECT_EQ(words, "3:0+10 101:0+600000 3:50+20 101:600000+600000 102:0+4 -7 ");
  EXPECT_EQ(stored, (std::vector<std::string>{half + half, "tail"}));
}

class EditedFiles : public ::testing::Test {
 protected:
  EditedFiles() : storage_(storage::open_memory()), world_(*storage_, 1) {
    EXPECT_TRUE(world_.create().ok());
    files_.directory("home");
  }
  // Bytes that this backup had to store of files; what it stored gives back what there is.
  std::uint64_t backup(const BackupSpec& spec = BackupWorld::spec()) {
    auto report = world_.backup(files_, spec);
    EXPECT_TRUE(report.ok());
    if (!report.ok() || !report.value().snapshot) return 0;
    const auto repository = world_.open();
    EXPECT_EQ(difference(*repository.value(), *report.value().snapshot, files_), "");
    return report.value().data_added;
  }
  void put(const std::string& path, const std::string& bytes) { files_.file(path, bytes, ++version_); }

  std::unique_ptr<storage::Storage> storage_;
  BackupWorld world_;
  FileSet files_;
  int version_ = 1;
};

TEST_F(EditedFiles, OfASmallFileOnlyChangedPiecesAreStored) {
  std::string text = prose(60'000, 1);
  put("home/notes", text);
  put("home/other", prose(60'000, 2));
  backup();
  // Inserted in the middle, then again elsewhere: the file by now lies in three places.
  for (const std::size_t at : {30'000u, 45'000u, 10'000u}) {
    text.insert(at, noise(100, at));
    put("home/notes", text);
    EXPECT_LT(backup(), 20'000u) << at;
  }
}

TEST_F(EditedFiles, OfALargeFileOnlyChangedPiecesAreStored) {
  std::string text = prose(5'000'001, 1);
  put("home/journal", text);
  backup();
  for (const std::size_t at : {3'000'000u, 2'000'000u, 0u}) {
    text.insert(at, noise(100, at + 1));
    put("home/journal", text);
    EXPECT_LT(backup(), 40'000u) << at;
  }
  text += noise(1000, 5);
  put("home/journal", text);
  EXPECT_LT(backup(), 40'000u);
}

TEST_F(EditedFiles, AFileThatGrewOutOfItsBundleKeepsItsPieces) {
  std::string text = prose(120'000, 1);
  put("home/neighbour", prose(127'000, 7));  // before it in its bundle
  put("home/notes", text);
  backup();
  text += prose(19'001, 3);
  put("home/notes", text);
  EXPECT_LT(backup(), 50'000u);
  text.resize(100'000);
  put("home/notes", text);
  EXPECT_LT(backup(), 20'000u);
}

TEST_F(EditedFiles, TwoNamesOfAnEditStoreItOnce) {
  std::string text = prose(60'000, 1);
  put("home/a", text);
  put("home/b", text);
  backup();
  text.insert(20'000, noise(100, 1));
  put("home/a", text);
  put("home/b", text);
  EXPECT_LT(backup(), 20'000u);
}

TEST_F(EditedFiles, WithoutWhatIsRememberedTheFileIsStoredWhole) {
  std::string text = prose(60'000, 1);
  put("home/notes", text);
  backup();
  world_.lose_cache();
  text.insert(20'000, "x");
  put("home/notes", text);
  EXPECT_GE(backup(), 60'000u);
}

TEST_F(EditedFiles, ADifferentialRunComparesWithTheFullOne) {
  std::string text = prose(60'000, 1);
  put("home/notes", text);
  BackupSpec spec = BackupWorld::spec();
  spec.mode = model::BackupMode::full;
  backup(spec);
  spec.mode = model::BackupMode::differential;
  for (const std::size_t at : {30'000u, 45'000u}) {
    text.insert(at, noise(100, at));
    put("home/notes", text);
    EXPECT_LT(backup(spec), 30'000u) << at;
  }
}

TEST_F(EditedFiles, OfAMostlyDeadBundleNothingIsKept) {
  std::string text = prose(100'000, 1);
  put("home/notes", text);
  for (int i = 0; i < 6; ++i)
    put(fmt::format("home/o{}", i), prose(120'000, static_cast<std::uint64_t>(i) + 2));
  backup();
  for (int i = 0; i < 6; ++i) files_.remove(fmt::format("home/o{}", i));
  backup();  // sees that it is mostly dead
  text += "x";
  put("home/notes", text);
  EXPECT_GE(backup(), 100'000u);
  text += "x";
  put("home/notes", text);
  EXPECT_LT(backup(), 30'000u);
}

TEST_F(EditedFiles, WhatIsRememberedStaysOnlyForPacksThatAreThere) {
  const auto repository = world_.open();
  const auto local = repo::LocalState::open(world_.cache(), *repository.value());
  const model::PackId mine{{5, 1}, 0}, gone{{5, 2}, 0}, young{{5, 3}, 0}, old{{5, 4}, 0};
  const auto put_pieces = [&] {
    PieceStore store(*local);
    for (const model::PackId& pack : {mine, gone, young, old}) {
      store.add({pack, 7}, {{100, id_of(1)}, {200, id_of(2)}});
      store.close(pack);
    }
  };
  put_pieces();
  put_pieces();  // the same names again
  const std::string file = local->directory() + "/pieces/" + repo::text(old);
  const timespec times[2] = {{0, UTIME_OMIT}, {1'000'000'000, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, file.c_str(), times, 0), 0);
  PieceStore store(*local);
  store.sweep(
      [&](const model::PackId& pack) {
        return pack == mine   ? PieceStore::Want::yes
               : pack == gone ? PieceStore::Want::no
                              : PieceStore::Want::unfinished;
      },
      system_clock().now_ns() / 1'000'000'000);
  ASSERT_EQ(store.find({mine, 7}).size(), 2u);
  EXPECT_EQ(store.find({mine, 7})[1].length, 200u);
  EXPECT_TRUE(store.find({mine, 8}).empty());
  EXPECT_TRUE(store.find({gone, 7}).empty());
  EXPECT_EQ(store.find({young, 7}).size(), 2u);
  EXPECT_TRUE(store.find({old, 7}).empty());
}

TEST_F(EditedFiles, ADamagedFileOfPiecesIsNotKnown) {
  const auto repository = world_.open();
  const auto local = repo::LocalState::open(world_.cache(), *repository.value());
  const model::PackId pack{{5, 1}, 0};
  {
    PieceStore store(*local);
    store.add({pack, 7}, {{100, id_of(1)}});
    store.close(pack);
  }
  const std::string file = local->directory() + "/pieces/" + repo::text(pack);
  std::FILE* const out = std::fopen(file.c_str(), "r+");
  ASSERT_NE(out, nullptr);
  std::fseek(out, 15, SEEK_SET);
  std::fputc('?', out);
  std::fclose(out);
  EXPECT_TRUE(PieceStore(*local).find({pack, 7}).empty());
}

// Files in very many places: a leaf ends before it would hold too many of them.
TEST_F(EditedFiles, ALeafEndsBeforeItHoldsTooManyExtents) {
  const auto repository = world_.open();
  const auto local = repo::LocalState::open(world_.cache(), *repository.value());
  const auto transaction = repo::Transaction::rehearse(*repository.value(), *local, {});
  ASSERT_TRUE(transaction.ok());
  repo::ChunkWriter metadata(*transaction.value(), true);
  model::References references;
  repo::LocalTreeWriter memory("", local->key(), world_.random());
  repo::TreeWriter tree(metadata, references, memory, {});
  for (int i = 0; i < 5; ++i) {
    model::Entry entry;
    entry.path = fmt::format("f{}", i);
    for (std::uint32_t e = 0; e < 100'000; ++e) entry.content.push_back(extent(e % 2, 2 * e, 1));
    entry.size_bytes = entry.content.size();
    ASSERT_TRUE(tree.add(std::move(entry), {}, {}, {}).ok());
  }
  ASSERT_TRUE(tree.finish({}).ok());
  EXPECT_GE(tree.stored_chunks(), 4u);  // three leaves and what is above them
}

TEST_F(EditedFiles, RandomEditsOnSeveralThreadsComeBackExactly) {
  std::mt19937_64 random(5);
  BackupSpec spec = BackupWorld::spec();
  spec.workers = 3;
  std::map<std::string, std::string> contents;
  for (int i = 0; i < 30; ++i) {
    contents[fmt::format("home/f{:02}", i)] = prose(1000 + random() % 300'000, random());
  }
  for (const auto& [path, bytes] : contents) put(path, bytes);
  backup(spec);
  for (int round = 0; round < 8; ++round) {
    for (auto& [path, bytes] : contents) {
      if (random() % 3 != 0) continue;
      const std::size_t at = random() % bytes.size();
      switch (random() % 4) {
        case 0:
          bytes.insert(at, noise(random() % 5000, random()));
          break;
        case 1:
          bytes.erase(at, random() % 5000);
          break;
        case 2:
          bytes.insert(at, bytes.substr(0, random() % 20'000));
          break;
        default:
          bytes.replace(at, std::min<std::size_t>(bytes.size() - at, 9000), std::string(9000, '\0'));
      }
      if (bytes.empty()) bytes = "x";
      put(path, bytes);
    }
    backup(spec);
  }
}

}  // namespace

}  // namespace holdfast::flow
