// Checkpoints of a run that takes long or is stopped: when there are any, what the next leg or run goes on
// from, and that the report and the snapshot are as if there had been none.

#include "flow/check.h"
#include "flow/forget.h"
#include "flow/prune.h"
#include "storage/memory.h"
#include "tests/support/backup_world.h"
#include "tests/support/slow_source.h"

namespace holdfast::flow {

namespace {

using testing::BackupWorld;
using testing::FileSet;
using testing::noise;
using testing::SlowSource;

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::size_t kFileBytes = 140'000;  // too large for a bundle: each is opened when the walk is there

std::string name(int i) { return fmt::format("home/f{:03}", i); }

FileSet home(int files) {
  FileSet out;
  out.directory("home");
  for (int i = 0; i < files; ++i) out.file(name(i), noise(kFileBytes, static_cast<std::uint64_t>(i)));
  return out;
}

// A checkpoint about every eleven minutes: none falls on the end of a run here.
BackupSpec spec() {
  BackupSpec spec = BackupWorld::spec();
  spec.checkpoint_interval_s = 660;
  return spec;
}

class CountingObserver final : public Observer {
 public:
  void progress(const Progress& progress, std::string_view) override {
    went_back = went_back || progress.files_done < files_;
    files_ = progress.files_done;
  }
  void problem(std::string_view, std::string_view, const Error&) override { ++problems; }
  void item(std::string_view action, std::string_view, std::uint64_t) override {
    ++items[std::string(action)];
  }
  void note(std::string_view) override {}
  int problems = 0;
  bool went_back = false;
  std::map<std::string, int> items;

 private:
  std::uint64_t files_ = 0;
};

class Checkpoints : public ::testing::Test {
 protected:
  Checkpoints() : storage_(storage::open_memory()), world_(*storage_, 1) {
    EXPECT_TRUE(world_.create().ok());
  }

  // Each file takes a minute to read.
  SlowSource slow(const FileSet& files) { return SlowSource(files, world_.clock(), 60 * kSecondNs); }
  BackupReport run(SlowSource& source, const BackupSpec& how, Observer* observer = nullptr) {
    auto report = world_.backup_from(source, how, observer, source.token());
    EXPECT_TRUE(report.ok()) << report.error().text();
    return report.ok() ? std::move(report).value() : BackupReport();
  }
  BackupReport run(const FileSet& files, const BackupSpec& how = BackupWorld::spec()) {
    SlowSource source(files, world_.clock());
    return run(source, how);
  }
  repo::History history() { return std::move(world_.open().value()->history({})).value(); }
  std::vector<model::Commit> checkpoints() {
    std::vector<model::Commit> out;
    for (const repo::Snapshot& s : history().commits) {
      if (s.commit.kind == model::CommitKind::checkpoint) out.push_back(s.commit);
    }
    return out;
  }
  void expect_same(const BackupReport& report, const FileSet& files) {
    ASSERT_TRUE(report.snapshot.has_value());
    EXPECT_EQ(report.snapshot->commit.kind, model::CommitKind::snapshot);
    EXPECT_EQ(difference(*world_.open().value(), *report.snapshot, files), "");
  }
  void expect_clean() {
    const auto repository = std::move(world_.open()).value();
    SilentObserver silent;
    CheckSpec full;
    full.level = CheckLevel::full;
    const auto report = check(*repository, full, silent, {});
    ASSERT_TRUE(report.ok());
    for (const Finding& f : report.value().findings) ADD_FAILURE() << f.object << ": " << f.text;
  }

  std::unique_ptr<storage::Storage> storage_;
  BackupWorld world_;
};

}  // namespace

TEST_F(Checkpoints, ComeAboutEveryIntervalAndNothingIsReadTwice) {
  const FileSet files = home(60);
  SlowSource source = slow(files);
  CountingObserver observer;
  const BackupReport report = run(source, spec(), &observer);
  expect_same(report, files);
  const auto commits = checkpoints();
  EXPECT_EQ(commits.size(), 5u);  // 60 minutes of reading
  for (const model::Commit& commit : commits) EXPECT_EQ(commit.run, report.snapshot->commit.run);
  EXPECT_EQ(source.opened, 60);
  EXPECT_EQ(source.restarts, 5);
  // As if it had been one leg.
  EXPECT_EQ(report.files_new, 60u);
  EXPECT_EQ(report.dirs_new, 1u);
  EXPECT_EQ(report.files_changed + report.files_unmodified + report.dirs_unmodified, 0u);
  EXPECT_EQ(report.total_files, 60u);
  EXPECT_EQ(report.total_bytes, 60 * kFileBytes);
  EXPECT_EQ(report.data_blobs, 60u);
  EXPECT_GE(report.data_added, 60 * kFileBytes);
  EXPECT_FALSE(report.snapshot->commit.parent.has_value());
  EXPECT_EQ(observer.items["new"], 61);
  EXPECT_EQ(observer.items["unchanged"], 0);
  EXPECT_FALSE(observer.went_back);
  // Superseded by the snapshot: no entry in the log is needed.
  EXPECT_TRUE(history().log.abandoned.empty());
  expect_clean();
  const BackupReport next = run(files);
  EXPECT_EQ(next.files_unmodified, 60u);
  EXPECT_EQ(next.data_added, 0u);
  EXPECT_EQ(next.snapshot->commit.parent, report.snapshot->commit.transaction);
}

TEST_F(Checkpoints, TheReportComparesWithTheLastSnapshot) {
  FileSet files = home(60);
  const BackupReport first = run(files);
  for (int i = 0; i < 60; i += 2) files.file(name(i), noise(kFileBytes, 1000 + static_cast<unsigned>(i)), 2);
  for (int i = 100; i < 110; ++i) files.file(name(i), noise(kFileBytes, 2000 + static_cast<unsigned>(i)));
  files.remove(name(1));
  SlowSource source = slow(files);
  CountingObserver observer;
  const BackupReport report = run(source, spec(), &observer);
  EXPECT_EQ(checkpoints().size(), 3u);
  expect_same(report, files);
  EXPECT_EQ(source.opened, 40);
  EXPECT_EQ(report.files_changed, 30u);
  EXPECT_EQ(report.files_new, 10u);
  EXPECT_EQ(report.files_unmodified, 29u);
  EXPECT_EQ(report.dirs_unmodified, 1u);
  EXPECT_EQ(report.total_files, 69u);
  EXPECT_EQ(report.data_blobs, 40u);
  EXPECT_EQ(report.snapshot->commit.parent, first.snapshot->commit.transaction);
  EXPECT_EQ(observer.items["changed"], 30);
  EXPECT_EQ(observer.items["new"], 10);
  EXPECT_EQ(observer.items["unchanged"], 30);
  EXPECT_EQ(observer.items["removed"], 1);
}

TEST_F(Checkpoints, AFullRunReadsEachFileOnce) {
  const FileSet files = home(60);
  run(files);
  BackupSpec full = spec();
  full.mode = model::BackupMode::full;
  SlowSource source = slow(files);
  const BackupReport report = run(source, full);
  EXPECT_EQ(checkpoints().size(), 5u);
  EXPECT_EQ(source.opened, 60);
  EXPECT_EQ(report.data_blobs, 0u);
  EXPECT_EQ(report.files_new, 60u);
  EXPECT_FALSE(report.snapshot->commit.parent.has_value());
  EXPECT_EQ(report.snapshot->commit.mode, model::BackupMode::full);
  expect_same(report, files);
}

TEST_F(Checkpoints, ADifferentialRunStillBuildsOnTheFullOne) {
  FileSet files = home(60);
  BackupSpec how = spec();
  how.mode = model::BackupMode::full;
  const BackupReport full = run(files, how);
  for (int i = 0; i < 30; ++i) files.file(name(i), noise(kFileBytes, 1000 + static_cast<unsigned>(i)), 2);
  run(files);
  for (int i = 30; i < 40; ++i) files.file(name(i), noise(kFileBytes, 1000 + static_cast<unsigned>(i)), 2);
  how.mode = model::BackupMode::differential;
  for (int i = 0; i < 2; ++i) {
    SlowSource source = slow(files);
    const BackupReport report = run(source, how);
    EXPECT_EQ(source.restarts, 3);
    EXPECT_EQ(source.opened, 40);
    EXPECT_EQ(report.files_changed, 40u);
    EXPECT_EQ(report.files_unmodified, 20u);
    EXPECT_EQ(report.snapshot->commit.parent, full.snapshot->commit.transaction);
    expect_same(report, files);
  }
}

TEST_F(Checkpoints, AStoppedFullRunIsNotWhatDifferentialOnesBuildUpon) {
  FileSet files = home(20);
  BackupSpec how = spec();
  how.mode = model::BackupMode::full;
  const BackupReport full = run(files, how);
  SlowSource stopped(files, world_.clock());
  stopped.stop_at_item = 10;
  ASSERT_FALSE(world_.backup_from(stopped, how, nullptr, stopped.token()).ok());
  how.mode = model::BackupMode::differential;
  SlowSource source(files, world_.clock());
  const BackupReport report = run(source, how);
  EXPECT_EQ(source.opened, 0);
  EXPECT_EQ(report.snapshot->commit.parent, full.snapshot->commit.transaction);
}

TEST_F(Checkpoints, ThereAreNoneWhereTheyWouldBeOfNoUse) {
  const FileSet files = home(60);
  const auto expect_none = [&](const BackupSpec& how, bool repeatable) {
    SlowSource source = slow(files);
    source.can_restart = repeatable;
    run(source, how);
    EXPECT_EQ(source.restarts, 0);
    EXPECT_EQ(checkpoints().size(), 0u);
  };
  BackupSpec how = spec();
  how.dry_run = true;
  expect_none(how, true);
  how = spec();
  how.remember = false;
  expect_none(how, true);
  how = spec();
  how.checkpoint_interval_s = 0;
  how.mode = model::BackupMode::full;
  expect_none(how, true);
  how.checkpoint_interval_s = 660;
  expect_none(how, false);
  // Nothing is stored: the walk alone takes long.
  SlowSource unchanged(files, world_.clock());
  unchanged.step_ns = 3600 * kSecondNs;
  EXPECT_EQ(run(unchanged, spec()).files_unmodified, 60u);
  EXPECT_EQ(unchanged.restarts, 0);
}

TEST_F(Checkpoints, WalkingAgainNeverTakesMuchOfTheTime) {
  const FileSet files = home(400);
  SlowSource source(files, world_.clock());
  source.step_ns = kSecondNs;
  source.open_ns = 20 * kSecondNs;
  BackupSpec how = spec();
  how.checkpoint_interval_s = 10;
  const std::int64_t before = world_.clock().ticks_ns();
  expect_same(run(source, how), files);
  const std::int64_t took_s = (world_.clock().ticks_ns() - before) / kSecondNs - 3600;
  EXPECT_GE(source.restarts, 3);
  EXPECT_LT(took_s, 400 * 21 * 5 / 4);
  // Where walking is most of the work there are none.
  const FileSet others = home(401);
  SlowSource walked(others, world_.clock());
  walked.step_ns = 60 * kSecondNs;
  walked.open_ns = 60 * kSecondNs;
  how.mode = model::BackupMode::full;
  run(walked, how);
  EXPECT_EQ(walked.restarts, 0);
}

TEST_F(Checkpoints, AProblemIsToldOnce) {
  FileSet files = home(60);
  files.at(name(3)).open_error = Errc::denied;
  SlowSource source = slow(files);
  CountingObserver observer;
  const BackupReport report = run(source, spec(), &observer);
  EXPECT_EQ(source.restarts, 5);
  EXPECT_EQ(observer.problems, 1);
  EXPECT_EQ(report.problems, 1u);
  EXPECT_TRUE(report.partial);
}

TEST_F(Checkpoints, ASourceThatVanishesBetweenTwoIsGuarded) {
  const FileSet files = home(60);
  FileSet nothing;
  nothing.directory("home");
  SlowSource source = slow(files);
  source.on_restart = [&] { source.replace(nothing); };
  const auto report = world_.backup_from(source, spec());
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().kind(), Errc::guarded);
  EXPECT_EQ(checkpoints().size(), 1u);
}

TEST_F(Checkpoints, WhatChangesBetweenTwoIsReadAgain) {
  FileSet files = home(60);
  SlowSource source = slow(files);
  source.on_restart = [&] {
    if (source.restarts != 2) return;
    files.file(name(2), noise(kFileBytes, 999), 2);
    files.remove(name(3));
    files.file("home/f002a", noise(kFileBytes, 998), 2);
    source.replace(files);
  };
  const BackupReport report = run(source, spec());
  expect_same(report, files);
  EXPECT_EQ(report.files_new, 60u);
  EXPECT_EQ(source.opened, 62);
}

TEST_F(Checkpoints, WithoutTheLocalCopyTheRunEndsInOneMoreLeg) {
  const FileSet files = home(150);  // longer than ten times the first leg
  SlowSource source = slow(files);
  source.on_restart = [&] { world_.lose_cache(); };  // the folder goes with all that is in it
  expect_same(run(source, spec()), files);
  EXPECT_EQ(source.restarts, 1);
}

TEST_F(Checkpoints, APruneBetweenTwoAndOneUnderWayTakeNothing) {
  const FileSet files = home(60);
  run(files);
  run(home(20));
  PruneReport between, under_way;
  const auto forget_and_prune = [&](std::size_t which) {
    const auto repository = std::move(world_.open()).value();
    repo::History all = history();
    const repo::Forget forget{{all.commits[which].commit.transaction}};
    EXPECT_TRUE(repository->log().append(all.log, forget, repository->now(), world_.random(), {}).ok());
    PruneOptions options;
    options.max_unused_percent = 0;
    options.wait_ms = 0;
    SilentObserver silent;
    auto report = prune(*repository, options, silent, {});
    EXPECT_TRUE(report.ok()) << report.error().text();
    return report.ok() ? std::move(report).value() : PruneReport();
  };
  // The run finds all chunks in the first snapshot, until that is forgotten and only the first checkpoint
  // holds some of them.
  SlowSource source = slow(files);
  source.on_restart = [&] {
    if (source.restarts == 1) between = forget_and_prune(0);
  };
  source.on_open = [&] {
    if (source.opened == 50) under_way = forget_and_prune(1);
  };
  BackupSpec how = spec();
  how.mode = model::BackupMode::full;
  const BackupReport report = run(source, how);
  EXPECT_EQ(source.restarts, 5);
  EXPECT_EQ(source.opened, 60);
  EXPECT_GT(between.bytes_freed(), 30 * kFileBytes);
  EXPECT_EQ(under_way.blocked_by.size(), 1u);
  EXPECT_EQ(report.data_blobs, 40u);
  expect_same(report, files);
  expect_clean();
  PruneOptions all;
  all.max_unused_percent = 0;
  SilentObserver silent;
  EXPECT_TRUE(prune(*world_.open().value(), all, silent, {}).ok());
  expect_same(report, files);
  expect_clean();
}

// ---- A stop
// ------------------------------------------------------------------------------------------------

TEST_F(Checkpoints, ARunThatGoesOnComparesWithTheLastSnapshotToo) {
  FileSet files = home(30);
  const BackupReport first = run(files);
  for (int i = 0; i < 20; ++i) files.file(name(i), noise(kFileBytes, 1000 + static_cast<unsigned>(i)), 2);
  for (const int at : {8, 14}) {
    SlowSource stopped(files, world_.clock());
    stopped.stop_at_item = at;
    EXPECT_FALSE(world_.backup_from(stopped, spec(), nullptr, stopped.token()).ok());
  }
  EXPECT_EQ(checkpoints().size(), 2u);
  for (const model::Commit& commit : checkpoints())
    EXPECT_EQ(commit.parent, first.snapshot->commit.transaction);
  SlowSource source(files, world_.clock());
  BackupSpec skip = spec();
  skip.skip_if_unchanged = true;
  const BackupReport report = run(source, skip);
  expect_same(report, files);
  EXPECT_EQ(source.opened, 20 - 13);
  EXPECT_EQ(report.files_changed, 20u);
  EXPECT_EQ(report.files_unmodified, 10u);
  EXPECT_EQ(report.snapshot->commit.parent, first.snapshot->commit.transaction);
  EXPECT_EQ(history().log.abandoned.size(), 2u);
}

TEST_F(Checkpoints, AfterAStopNothingButTheSnapshotItselfCountsAsUnchanged) {
  FileSet files = home(10);
  run(files);
  files.file(name(9), noise(kFileBytes, 99), 2);
  SlowSource stopped(files, world_.clock());
  stopped.stop_at_item = 11;  // right at the end
  EXPECT_FALSE(world_.backup_from(stopped, spec(), nullptr, stopped.token()).ok());
  BackupSpec skip = spec();
  skip.skip_if_unchanged = true;
  expect_same(run(files, skip), files);
}

TEST_F(Checkpoints, AStopBeforeAnythingWasStoredLeavesNone) {
  const FileSet files = home(10);
  run(files);
  SlowSource stopped(files, world_.clock());
  stopped.stop_at_item = 5;
  const auto report = world_.backup_from(stopped, spec(), nullptr, stopped.token());
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().kind(), Errc::stopped);
  EXPECT_EQ(checkpoints().size(), 0u);
  EXPECT_TRUE(history().undecided.empty());
  BackupSpec dry = spec();
  dry.dry_run = true;
  SlowSource again(files, world_.clock());
  again.stop_at_item = 5;
  EXPECT_FALSE(world_.backup_from(again, dry, nullptr, again.token()).ok());
}

TEST_F(Checkpoints, AStopInALargeFileKeepsWhatTheLastSnapshotHad) {
  FileSet files = home(10);
  std::string image = noise(40 * kMiB, 1);  // blocks, compared by pages
  files.file("home/f005.img", image);
  files.file("home/large", noise(40 * kMiB + 1, 2));  // by content
  run(files);
  image.replace(20 * kMiB, 4096, noise(4096, 3));
  const FileSet before = files;
  files.file("home/f005.img", image, 2);
  files.file("home/large", noise(40 * kMiB + 1, 4), 2);
  files.file(name(3), noise(kFileBytes, 5), 2);
  for (const int reads : {4, 43}) {  // in the image, in the other
    SlowSource stopped(files, world_.clock());
    stopped.stop_at_read = reads;
    const auto report = world_.backup_from(stopped, spec(), nullptr, stopped.token());
    ASSERT_FALSE(report.ok());
    EXPECT_LE(stopped.reads_after_stop, 1);
    const auto repository = std::move(world_.open()).value();
    const repo::History all = history();
    FileSet kept = before;
    kept.at(name(3)) = files.at(name(3));
    if (reads == 43) kept.at("home/f005.img") = files.at("home/f005.img");
    EXPECT_EQ(all.commits.back().commit.kind, model::CommitKind::checkpoint);
    EXPECT_EQ(difference(*repository, all.commits.back(), kept), "");
  }
  expect_clean();
  SlowSource source(files, world_.clock());
  const BackupReport report = run(source, spec());
  expect_same(report, files);
  EXPECT_EQ(source.opened, 1);
  EXPECT_EQ(report.files_changed, 3u);
  EXPECT_LT(report.data_added, 36 * kMiB);  // the stopped run's chunks of it are found again
}

TEST_F(Checkpoints, AStopDropsWhatHasNotBegun) {
  FileSet files;
  files.directory("home");
  for (int i = 0; i < 24; ++i) files.file(name(i), noise(3 * kMiB + 1, static_cast<std::uint64_t>(i)));
  BackupSpec threads = spec();
  threads.workers = 2;
  SlowSource stopped(files, world_.clock());
  stopped.stop_at_read = 6;
  const auto report = world_.backup_from(stopped, threads, nullptr, stopped.token());
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().kind(), Errc::stopped);
  EXPECT_LE(stopped.reads_after_stop, 2);
  EXPECT_LT(stopped.opened, 10);
  expect_clean();
  SlowSource source(files, world_.clock());
  expect_same(run(source, threads), files);
}

}  // namespace holdfast::flow
