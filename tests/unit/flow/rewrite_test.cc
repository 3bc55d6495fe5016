// Snapshots rewritten: exactly the rest, complete references, nothing copied, the old one untouched.
#include "flow/rewrite.h"

#include "flow/check.h"
#include "flow/prune.h"
#include "storage/memory.h"
#include "tests/support/backup_world.h"

namespace holdfast::flow {

namespace {

using testing::BackupWorld;
using testing::FileSet;
using testing::noise;

class Rewrite : public ::testing::Test {
 protected:
  Rewrite() : storage_(storage::open_memory()), world_(*storage_, 1) {
    EXPECT_TRUE(world_.create().ok());
    files_.directory("home");
    files_.directory("home/cache");
    for (int i = 0; i < 1500; ++i) files_.file(fmt::format("home/f{:04}", i), "text", 1);
    for (int i = 0; i < 20; ++i)
      files_.file(fmt::format("home/cache/c{:02}", i), noise(5000, static_cast<std::uint64_t>(i)));
    files_.file("home/large", noise(300'000, 99));
    files_.file("home/secret", noise(300'000, 98));
    EXPECT_TRUE(world_.backup(files_).ok());
    files_.file("home/f0100", "edited", 2);
    EXPECT_TRUE(world_.backup(files_).ok());
  }
  Result<Rewritten> run(const RewriteSpec& spec) {
    const auto repository = std::move(world_.open()).value();
    const auto history = std::move(repository->history({})).value();
    const auto local = repo::LocalState::open(world_.cache(), *repository);
    SilentObserver silent;
    return rewrite(*repository, *history.snapshots().back(), spec, *local, silent, {});
  }
  static RewriteSpec without(const std::vector<std::string>& patterns) {
    RewriteSpec spec;
    for (const std::string& p : patterns) {
      EXPECT_TRUE(spec.exclude.add(p, "--exclude", {.floating = true}).ok());
      spec.exclude_texts.push_back(p);
    }
    return spec;
  }
  void expect_clean(std::size_t snapshots) {
    const auto repository = std::move(world_.open()).value();
    EXPECT_EQ(repository->history({}).value().snapshots().size(), snapshots);
    SilentObserver silent;
    CheckSpec spec;
    spec.level = CheckLevel::full;
    const auto report = check(*repository, spec, silent, {});
    ASSERT_TRUE(report.ok());
    for (const Finding& f : report.value().findings) ADD_FAILURE() << f.object << ": " << f.text;
  }

  std::unique_ptr<storage::Storage> storage_;
  BackupWorld world_;
  FileSet files_;
};

}  // namespace

TEST_F(Rewrite, LeavesExactlyTheRestAndCopiesNothing) {
  const auto done = run(without({"cache/", "secret"}));
  ASSERT_TRUE(done.ok()) << done.error().text();
  EXPECT_EQ(done.value().removed_entries, 22u);
  EXPECT_EQ(done.value().removed_bytes, 20u * 5000 + 300'000);
  EXPECT_LT(done.value().stored_bytes, 60'000u);
  FileSet rest = files_;
  rest.remove("home/cache");
  rest.remove("home/secret");
  for (int i = 0; i < 20; ++i) rest.remove(fmt::format("home/cache/c{:02}", i));
  const auto repository = std::move(world_.open()).value();
  const auto history = std::move(repository->history({})).value();
  const auto snapshots = history.snapshots();
  ASSERT_EQ(snapshots.size(), 3u);
  for (const repo::Snapshot* s : snapshots) {
    if (s->id != done.value().to) continue;
    EXPECT_EQ(difference(*repository, *s, rest), "");
    EXPECT_EQ(s->commit.excludes, (std::vector<std::string>{"cache/", "secret"}));
  }
  expect_clean(3);
}

// The new snapshot stands alone: the old ones go, and a prune takes all that it does not name.
TEST_F(Rewrite, ItsReferencesAreComplete) {
  const auto done = run(without({"cache/"}));
  ASSERT_TRUE(done.ok());
  const auto repository = std::move(world_.open()).value();
  repo::History history = std::move(repository->history({})).value();
  repo::Forget forget;
  for (const repo::Snapshot* s : history.snapshots()) {
    if (s->id != done.value().to) forget.transactions.push_back(s->commit.transaction);
  }
  ASSERT_EQ(forget.transactions.size(), 2u);
  ASSERT_TRUE(repository->log().append(history.log, forget, repository->now(), world_.random(), {}).ok());
  PruneOptions options;
  options.max_unused_percent = 0;
  options.abort_open_after_s = 0;
  options.wait_ms = 0;
  SilentObserver silent;
  const auto pruned = prune(*repository, options, silent, {});
  ASSERT_TRUE(pruned.ok()) << pruned.error().text();
  FileSet rest = files_;
  rest.remove("home/cache");
  for (int i = 0; i < 20; ++i) rest.remove(fmt::format("home/cache/c{:02}", i));
  const auto after = std::move(repository->history({})).value();
  ASSERT_EQ(after.snapshots().size(), 1u);
  EXPECT_EQ(difference(*repository, *after.snapshots().front(), rest), "");
  expect_clean(1);
}

TEST_F(Rewrite, OnlyTheRecordChanges) {
  RewriteSpec spec;
  spec.host = "other";
  spec.time = model::Time{1'600'000'000, 5};
  spec.tags = std::vector<std::string>{"kept"};
  const auto done = run(spec);
  ASSERT_TRUE(done.ok()) << done.error().text();
  EXPECT_EQ(done.value().removed_entries, 0u);
  const auto repository = std::move(world_.open()).value();
  const auto history = std::move(repository->history({})).value();
  const auto* made = history.snapshots().front();  // the oldest by its time
  EXPECT_EQ(made->id, done.value().to);
  EXPECT_EQ(made->commit.host, "other");
  EXPECT_EQ(made->tags, std::vector<std::string>{"kept"});
  EXPECT_EQ(made->commit.roots[0].id, history.snapshots().back()->commit.roots[0].id);
  EXPECT_EQ(difference(*repository, *made, files_), "");
  expect_clean(3);
}

TEST_F(Rewrite, WhatChangesNothingMakesNothing) {
  const auto same = run(without({"nothing-of-this-name"}));
  ASSERT_TRUE(same.ok());
  EXPECT_FALSE(same.value().changed);
  RewriteSpec spec = without({"cache/"});
  spec.dry_run = true;
  const auto would = run(spec);
  ASSERT_TRUE(would.ok());
  EXPECT_TRUE(would.value().changed);
  EXPECT_EQ(would.value().removed_entries, 21u);
  expect_clean(2);
}

// A snapshot that was forgotten, condemned and brought back may not be built upon (decision 2, W3).
TEST_F(Rewrite, RefusesWhatAPruneHasCondemned) {
  const auto repository = std::move(world_.open()).value();
  repo::History history = std::move(repository->history({})).value();
  const repo::Snapshot& last = *history.snapshots().back();
  const auto references = std::move(repository->read_references(last.commit, {})).value();
  repo::Condemn condemn;
  condemn.items.push_back({references.begin()->first, {}});
  ASSERT_TRUE(repository->log().append(history.log, condemn, repository->now(), world_.random(), {}).ok());
  const auto done = run(without({"cache/"}));
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().kind(), Errc::conflict);
}

}  // namespace holdfast::flow
