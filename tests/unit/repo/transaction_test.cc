// Transactions: from open to fate, what a fate says, pages shared between commits, names that were taken.
#include "parity/checksum.h"
#include "repo/pack_reader.h"
#include "tests/support/interposed_storage.h"
#include "tests/unit/repo/world.h"

namespace holdfast::repo {

namespace {

model::References references(std::uint32_t packs) {
  model::References out;
  for (std::uint32_t pack = 0; pack < packs; ++pack) insert(out, {{{5, 1}, pack * 2}, pack % 7});
  return out;
}

model::Commit commit_of(const std::string& host) {
  model::Commit commit;
  commit.host = host;
  commit.tags = {"t"};
  return commit;
}

}  // namespace

// A loss of power may keep any of what no barrier stands behind: a pack, and not the name that it is under.
TEST(Transaction, ItsNameIsDurableBeforeAnythingElseOfIt) {
  for (const bool with_pack : {true, false}) {
    World world;
    bool opened = false, durable = false;
    int after = 0;
    const auto store = testing::interpose(storage::open_memory(world.content), [&](std::string_view call) {
      durable = durable || (opened && call == "barrier");
      if (opened && call.starts_with("put ")) {
        EXPECT_TRUE(durable) << call;
        ++after;
      }
      opened = opened || call.ends_with("/open");
    });
    const auto repository =
        Repository::open({*store, world.clock, world.random}, as_bytes("secret"), {}).value();
    const auto transaction = Transaction::open(*repository, *world.local, {}, {}).value();
    ChunkWriter writer(*transaction, false);
    const Buffer plain(5000, 'x');
    const auto chunk = chunk_id(repository->keys()->chunk_id(), model::ChunkType::data, plain);
    if (with_pack) {
      ASSERT_TRUE(
          writer.put({chunk, model::ChunkType::data, Codec::raw, 5000, plain, parity::checksum(plain)}, {})
              .ok());
    }
    ASSERT_TRUE(writer.finish({}).ok());
    ASSERT_TRUE(transaction->commit(commit_of("host"), {}, nullptr, {}).ok());
    EXPECT_GE(after, with_pack ? 3 : 2);
  }
}

TEST(Transaction, WhatIsCommittedIsReadBack) {
  World world;
  const auto transaction = world.begin();
  const model::TransactionId id = transaction->id();
  EXPECT_TRUE(world.has(transaction_name(id, "open")));
  EXPECT_TRUE(world.repository->history({}).value().undecided.contains(id));
  EXPECT_EQ(world.repository->read_fate(id, {}).error().kind(), Errc::not_found);

  ChunkWriter writer(*transaction, false);
  const Buffer plain(5000, 'x');
  const auto chunk = chunk_id(world.repository->keys()->chunk_id(), model::ChunkType::data, plain);
  const auto address =
      writer.put({chunk, model::ChunkType::data, Codec::raw, 5000, plain, parity::checksum(plain)}, {});
  ASSERT_TRUE(address.ok());
  ASSERT_TRUE(writer.finish({}).ok());
  const model::References wanted = references(3);
  const auto snapshot = transaction->commit(commit_of("host"), wanted, nullptr, {});
  ASSERT_TRUE(snapshot.ok()) << snapshot.error().text();
  EXPECT_EQ(snapshot.value().id, hex(snapshot.value().hash));

  const auto fate = world.repository->read_fate(id, {});
  ASSERT_TRUE(fate.ok() && fate.value().has_value());
  EXPECT_EQ(fate.value()->id, snapshot.value().id);
  EXPECT_EQ(fate.value()->commit.host, "host");
  EXPECT_EQ(fate.value()->commit.transaction, id);
  EXPECT_EQ(world.repository->read_references(fate.value()->commit, {}).value(), wanted);
  const auto manifest = world.repository->read_manifest(id, {});
  ASSERT_TRUE(manifest.ok());
  ASSERT_EQ(manifest.value().packs.size(), 1u);
  EXPECT_EQ(manifest.value().packs[0].chunks.at(0).id, chunk);
  const History history = world.repository->history({}).value();
  EXPECT_TRUE(history.undecided.empty());
  ASSERT_EQ(history.snapshots().size(), 1u);
  EXPECT_EQ(history.find(id)->tags, (std::vector<std::string>{"t"}));

  const auto session = world.repository->session_key(id, {});
  ASSERT_TRUE(session.ok());
  const auto reader = PackReader::open(
      *world.storage, {world.repository->config().id, &session.value(), *world.repository->secrets().index},
      address.value().pack, 0, {});
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ(reader.value()->read(address.value().slot, world.repository->keys()->chunk_id(), {}).value(),
            plain);
}

TEST(Transaction, PacksOfDataAndMetadataHaveTheirOwnNumbers) {
  World world;
  const auto transaction = world.begin();
  for (std::uint32_t i = 0; i < 3; ++i) {
    EXPECT_EQ(transaction->next_pack(false).pack, 2 * i);
    EXPECT_EQ(transaction->next_pack(true).pack, 2 * i + 1);
  }
}

TEST(Transaction, OneThatWasAbortedMeanwhileDoesNotCommit) {
  World world;
  const auto transaction = world.begin();
  ASSERT_TRUE(transaction->withdraw("a maintainer's word", {}).ok());
  const auto committed = transaction->commit(commit_of("host"), {}, nullptr, {});
  ASSERT_FALSE(committed.ok());
  EXPECT_EQ(committed.error().kind(), Errc::conflict);
  const auto fate = world.repository->read_fate(transaction->id(), {});
  ASSERT_TRUE(fate.ok());
  EXPECT_FALSE(fate.value().has_value());
  EXPECT_TRUE(world.repository->history({}).value().aborted.contains(transaction->id()));
  EXPECT_EQ(world.local->last_commit().sequence, 0u);
}

TEST(Transaction, OneThatWasRetiredMeanwhileIsAConflict) {
  World world;
  const auto transaction = world.begin();
  LogState state;
  const Item own{{transaction->id(), kOwnObjects}, {}};
  ASSERT_TRUE(world.append(state, Condemn{{own}}).ok());
  ASSERT_TRUE(world.append(state, Delete{0, 0, {{own, 0}}}).ok());
  const auto committed = transaction->commit(commit_of("host"), {}, nullptr, {});
  ASSERT_FALSE(committed.ok());
  EXPECT_EQ(committed.error().kind(), Errc::conflict);
  EXPECT_TRUE(world.repository->history({}).value().commits.empty());
}

TEST(Transaction, AbortingWhatIsCommittedChangesNothing) {
  World world;
  const auto transaction = world.begin();
  ASSERT_TRUE(transaction->commit(commit_of("host"), {}, nullptr, {}).ok());
  EXPECT_TRUE(transaction->withdraw("too late", {}).ok());
  EXPECT_TRUE(world.repository->read_fate(transaction->id(), {}).value().has_value());
}

TEST(Transaction, EqualPagesAreSharedBetweenCommits) {
  World world;
  model::References wanted = references(3000);  // about twelve pages
  const auto first = world.begin()->commit(commit_of("host"), wanted, nullptr, {}).value();
  ASSERT_GT(first.commit.pages.size(), 3u);

  auto again = world.begin();
  const auto second = again->commit(commit_of("host"), wanted, &first.commit, {}).value();
  EXPECT_EQ(second.commit.pages, first.commit.pages);
  EXPECT_FALSE(world.has(transaction_name(again->id(), "refs")));

  insert(wanted, {{{5, 1}, 3000}, 99});  // changes one page
  auto changed = world.begin();
  const auto third = changed->commit(commit_of("host"), wanted, &second.commit, {}).value();
  ASSERT_EQ(third.commit.pages.size(), first.commit.pages.size());
  EXPECT_EQ(std::count_if(third.commit.pages.begin(), third.commit.pages.end(),
                          [&](const model::PagePointer& page) { return page.owner == changed->id(); }),
            1);
  EXPECT_EQ(world.repository->read_references(third.commit, {}).value(), wanted);
  EXPECT_EQ(third.commit.previous_sequence, again->id().sequence);
  EXPECT_EQ(third.commit.previous_hash, second.hash);
}

TEST(Transaction, ATakenNameMakesAWriterAnew) {
  World world;
  const model::TransactionId used = world.begin()->id();
  // The cache is set back, as when a machine is cloned.
  testing::ScratchDir saved;
  std::filesystem::copy(world.cache.path(), saved.path(), std::filesystem::copy_options::recursive);
  const model::TransactionId next = world.begin()->id();
  EXPECT_EQ(next.writer, used.writer);
  EXPECT_EQ(next.sequence, used.sequence + 1);
  const auto clone = LocalState::open(saved.path(), *world.repository);
  const auto opened = Transaction::open(*world.repository, *clone, {}, {});
  ASSERT_TRUE(opened.ok());
  EXPECT_NE(opened.value()->id().writer, used.writer);
  EXPECT_EQ(opened.value()->id().sequence, 1u);
}

TEST(Transaction, ARehearsalWritesNothing) {
  World world;
  const std::size_t before = world.content->objects.size();
  const auto transaction = Transaction::rehearse(*world.repository, *world.local, {});
  ASSERT_TRUE(transaction.ok());
  ChunkWriter writer(*transaction.value(), false);
  EXPECT_TRUE(
      writer.put({{}, model::ChunkType::data, Codec::raw, 1, Buffer{1}, parity::checksum(Buffer{1})}, {})
          .ok());
  EXPECT_TRUE(writer.finish({}).ok());
  EXPECT_TRUE(transaction.value()->withdraw("", {}).ok());
  EXPECT_EQ(world.content->objects.size(), before);
}

TEST(Transaction, AnUnreadableFateIsNeitherCommittedNorAborted) {
  World world;
  const auto transaction = world.begin();
  ASSERT_TRUE(transaction->commit(commit_of("host"), {}, nullptr, {}).ok());
  const std::string name = transaction_name(transaction->id(), "fate");
  const std::size_t half = world.content->objects.at(name)->size() / 2;
  world.flip(name, 50);
  EXPECT_TRUE(world.repository->read_fate(transaction->id(), {}).ok());
  world.flip(name, half + 51);
  EXPECT_EQ(world.repository->read_fate(transaction->id(), {}).error().kind(), Errc::damaged);
  const History history = world.repository->history({}).value();
  EXPECT_EQ(history.unreadable.size(), 1u);
  EXPECT_TRUE(history.commits.empty());
  EXPECT_TRUE(history.aborted.empty());
}

}  // namespace holdfast::repo
