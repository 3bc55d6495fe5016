// Snapshots stored again under a new read key: the same ones, sharing nothing with what older keys open; and
// cut off anywhere, nothing is lost and the next run does the rest.
#include "flow/rekey.h"

#include "flow/check.h"
#include "flow/forget.h"
#include "flow/prune.h"
#include "repo/pack_format.h"
#include "repo/rotation.h"
#include "tests/support/faulty_storage.h"
#include "tests/support/on_memory.h"

namespace holdfast::flow {

namespace {

using testing::BackupWorld;
using testing::FileSet;
using testing::noise;

class Rekey : public testing::OnMemory {
 protected:
  Rekey() {
    first_.directory("home");
    for (std::uint64_t i = 0; i < 300; ++i) first_.file(fmt::format("home/f{:04}", i), noise(100, 500 + i));
    first_.file("home/large", noise(600'000, 99));
    first_.symlink("home/link", "large");
    BackupSpec spec = BackupWorld::spec();
    spec.tags = {"keep", "me"};
    EXPECT_TRUE(world_.backup(first_, spec).ok());
    second_ = first_;
    second_.file("home/f0100", "edited", 2);
    second_.remove("home/f0007");
    EXPECT_TRUE(world_.backup(second_).ok());
  }

  std::unique_ptr<repo::Repository> open() { return std::move(world_.open()).value(); }
  void rotate() {
    const auto by = open();
    const auto plan = repo::plan_rotation(*by, {}).value();
    ASSERT_TRUE(repo::rotate(*by, plan, {}).ok());
  }
  Result<CopyReport> run() {
    const auto repository = open();
    const RekeyPlan plan = TRY(plan_rekey(*repository, {}));
    const auto local = repo::LocalState::open(world_.cache(), *repository);
    SilentObserver silent;
    return rekey(*repository, plan, *local, silent, {});
  }
  // The live snapshots are exactly these two, or with `twice` one of them once more.
  void expect_both(bool twice = false) {
    const auto repository = open();
    const auto history = repository->history({}).value();
    const auto live = history.snapshots();
    ASSERT_TRUE(live.size() == 2 || (twice && live.size() == 3)) << live.size();
    for (const repo::Snapshot* snapshot : live) {
      const bool tagged = snapshot->tags == std::vector<std::string>{"keep", "me"};
      EXPECT_EQ(testing::difference(*repository, *snapshot, tagged ? first_ : second_), "");
    }
    EXPECT_EQ(std::count_if(live.begin(), live.end(), [](const auto* s) { return s->tags.empty(); }) >= 1,
              true);
    EXPECT_EQ(std::count_if(live.begin(), live.end(), [](const auto* s) { return !s->tags.empty(); }) >= 1,
              true);
  }
  // Of every pack in the store.
  std::set<std::uint32_t> epochs_of_packs() {
    std::set<std::uint32_t> epochs;
    for (const auto& [name, bytes] : content_->objects) {
      if (!repo::parse_pack_name(name)) continue;
      const auto header = repo::decode_header(Bytes(*bytes).first(repo::kPackHeaderBytes)).value();
      epochs.insert(header.identity.place.epoch);
    }
    return epochs;
  }
  void prune_all() {
    const auto repository = open();
    SilentObserver silent;
    PruneOptions options;
    options.max_unused_percent = 0;
    options.abort_open_after_s = 0;
    options.wait_ms = 0;
    const auto pruned = prune(*repository, options, silent, {});
    ASSERT_TRUE(pruned.ok()) << pruned.error().text();
  }

  FileSet first_, second_;
};

}  // namespace

TEST_F(Rekey, NothingIsLeftThatAnOlderKeyOpens) {
  EXPECT_EQ(run().value().snapshots.size(), 0u) << "there is one key only";
  const auto thief = open();
  std::vector<model::Commit> before;
  const auto first = thief->history({}).value();
  for (const auto* s : first.snapshots()) before.push_back(s->commit);
  rotate();
  const auto report = run();
  ASSERT_TRUE(report.ok()) << report.error().text();
  EXPECT_EQ(report.value().snapshots.size(), 2u);
  expect_both();
  const auto after = open()->history({}).value();
  for (std::size_t i = 0; i < 2; ++i) {
    const model::Commit &a = before[i], &b = after.snapshots()[i]->commit;
    EXPECT_NE(a.transaction, b.transaction);
    EXPECT_EQ(std::tie(a.start, a.end, a.host, a.user, a.program, a.paths, a.statistics, a.zone_minutes),
              std::tie(b.start, b.end, b.host, b.user, b.program, b.paths, b.statistics, b.zone_minutes));
  }
  // What the second shares with the first was stored once.
  EXPECT_LT(report.value().snapshots[1].stored_bytes, report.value().snapshots[0].stored_bytes / 2);
  EXPECT_EQ(epochs_of_packs(), (std::set<std::uint32_t>{0, 1}));
  prune_all();
  EXPECT_EQ(epochs_of_packs(), std::set<std::uint32_t>{1});
  expect_both();
  for (const auto* s : after.snapshots())
    EXPECT_EQ(thief->session_key(s->commit.transaction, {}).error().kind(), Errc::denied);
  SilentObserver silent;
  CheckSpec spec;
  spec.level = CheckLevel::full;
  const auto checked = check(*open(), spec, silent, {}).value();
  for (const Finding& f : checked.findings) ADD_FAILURE() << f.object << ": " << f.text;
  EXPECT_EQ(run().value().snapshots.size(), 0u) << "all is done";
}

// A backup after a rotation shares chunks with what was there, so it needs an older key.
TEST_F(Rekey, ASnapshotThatSharesWithOlderOnesIsStoredAgain) {
  rotate();
  FileSet third = second_;
  third.file("home/f0200", "edited too", 3);
  ASSERT_TRUE(world_.backup(third).ok());
  EXPECT_EQ(run().value().snapshots.size(), 3u);
  prune_all();
  EXPECT_EQ(epochs_of_packs(), std::set<std::uint32_t>{1});
  const auto repository = open();
  const auto history = repository->history({}).value();
  ASSERT_EQ(history.snapshots().size(), 3u);
  EXPECT_EQ(testing::difference(*repository, *history.snapshots().back(), third), "");
}

TEST_F(Rekey, CutOffAnywhereItLosesNothingAndGoesOn) {
  rotate();
  const auto pristine = content_->objects;
  bool whole = false;
  for (std::uint64_t n = 1; !whole; n += 9) {
    ASSERT_LT(n, 2000u);
    content_->objects = pristine;
    world_.lose_cache();
    testing::FaultPlan faults;
    const auto cut = testing::faulty(storage::open_memory(content_), faults);
    world_.use(*cut);
    for (std::uint64_t i = n; i < n + 60; ++i) faults.at(i, testing::StorageFault::lost_before);
    whole = [&] {
      const auto repository = world_.open();
      if (!repository.ok()) return false;
      const auto plan = plan_rekey(*repository.value(), {});
      if (!plan.ok()) return false;
      const auto local = repo::LocalState::open(world_.cache(), *repository.value());
      SilentObserver silent;
      return rekey(*repository.value(), plan.value(), *local, silent, {}).ok();
    }();
    world_.use(*storage_);
    expect_both(true);
    const auto again = run();
    ASSERT_TRUE(again.ok()) << n << again.error().text();
    expect_both();
    EXPECT_EQ(run().value().snapshots.size(), 0u) << n;
  }
}

TEST_F(Rekey, AKeyThatLacksTheNewestEpochStoresNothingAgain) {
  const auto old = open();
  rotate();
  const auto plan = plan_rekey(*old, {});
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(plan.error().kind(), Errc::denied);
}

TEST_F(Rekey, TagsThatCameLaterAreKept) {
  TagSpec spec;
  spec.set = std::vector<std::string>{"later"};
  ASSERT_EQ(tag(*open(), spec, {}).value().size(), 2u);
  rotate();
  ASSERT_EQ(run().value().snapshots.size(), 2u);
  const auto history = open()->history({}).value();
  for (const auto* s : history.snapshots()) EXPECT_EQ(s->tags, std::vector<std::string>{"later"});
}

}  // namespace holdfast::flow
