// The story of a backup, on a repository in memory: what is stored, what is shared, and what is said when
// something goes wrong.

#include "flow/check.h"
#include "flow/prune.h"
#include "storage/memory.h"
#include "tests/support/backup_world.h"

namespace holdfast::flow {

namespace {

using testing::BackupWorld;
using testing::FileSet;
using testing::names;
using testing::noise;
using testing::prose;

class Backup : public ::testing::Test {
 protected:
  Backup() : storage_(storage::open_memory()), world_(*storage_, 1) { EXPECT_TRUE(world_.create().ok()); }

  BackupReport run(const FileSet& files, const BackupSpec& spec = BackupWorld::spec()) {
    auto report = world_.backup(files, spec);
    EXPECT_TRUE(report.ok()) << report.error().text();
    if (!report.ok()) return {};
    return std::move(report).value();
  }
  void expect_same(const BackupReport& report, const FileSet& files) {
    ASSERT_TRUE(report.snapshot.has_value());
    const auto repository = world_.open();
    ASSERT_TRUE(repository.ok());
    EXPECT_EQ(difference(*repository.value(), *report.snapshot, files), "");
  }
  std::map<std::string, model::Entry> entries(const BackupReport& report) {
    const auto repository = world_.open();
    auto all = testing::entries_of(*repository.value(), *report.snapshot);
    EXPECT_TRUE(all.ok()) << all.error().text();
    return all.ok() ? std::move(all).value() : std::map<std::string, model::Entry>();
  }
  std::size_t packs() { return names(*storage_, "d/").size() + names(*storage_, "m/").size(); }

  std::unique_ptr<storage::Storage> storage_;
  BackupWorld world_;
};

// A home with directories, small files all over them, a large one, a page-aligned one, links.
FileSet home(int directories = 20, int files_each = 30) {
  FileSet files;
  files.directory("home");
  for (int d = 0; d < directories; ++d) {
    const std::string directory = fmt::format("home/d{:03}", d);
    files.directory(directory);
    for (int f = 0; f < files_each; ++f) {
      files.file(fmt::format("{}/f{:03}", directory, f),
                 prose(200 + static_cast<std::size_t>(f) * 40, static_cast<std::uint64_t>(d * 1000 + f)));
    }
  }
  files.file("home/large", noise(3'000'001, 7));
  files.symlink("home/link", "d000/f000");
  return files;
}

}  // namespace

TEST_F(Backup, GivesBackWhatWasThere) {
  FileSet files = home();
  files.file("home/empty", "");
  files.file("home/exactly-bundled", noise(128 * kKiB, 1));
  files.file("home/just-large", noise(128 * kKiB + 1, 2));
  expect_same(run(files), files);
}

TEST_F(Backup, GivesTheSameOnSeveralThreads) {
  const FileSet files = home(60, 60);
  BackupSpec spec = BackupWorld::spec();
  spec.workers = 4;
  expect_same(run(files, spec), files);
}

TEST_F(Backup, AnUnchangedSecondRunWritesNoPack) {
  const FileSet files = home();
  run(files);
  const std::size_t before = packs();
  const BackupReport second = run(files);
  EXPECT_EQ(packs(), before);
  EXPECT_EQ(second.files_new + second.files_changed, 0u);
  EXPECT_EQ(second.files_unmodified, 20u * 30 + 1);
  EXPECT_EQ(second.data_added, 0u);
  expect_same(second, files);
}

TEST_F(Backup, SmallFilesShareBundlesThoughDirectoriesLieBetweenThem) {
  // 200 directories with one small file each: a few bundles, not one chunk for each file.
  const FileSet files = home(200, 1);
  EXPECT_LT(run(files).data_blobs, 15u);
  BackupSpec threads = BackupWorld::spec();
  threads.workers = 3;
  threads.mode = model::BackupMode::full;
  // And though there are more large files than may wait at once.
  FileSet others;
  others.directory("home");
  for (std::uint64_t i = 0; i < 300; ++i) {
    others.directory(fmt::format("home/e{:03}", i));
    others.file(fmt::format("home/e{:03}/large", i), noise(140'000, i));
    others.file(fmt::format("home/e{:03}/small", i), prose(300, 5000 + i));
  }
  EXPECT_LT(run(others, threads).data_blobs, 300 + 20u);
}

TEST_F(Backup, AnEditStoresADeltaOfOneLeaf) {
  FileSet files = home(40, 40);
  run(files);
  files.file("home/d010/f010", "edited", 2);
  files.remove("home/d010/f011");
  files.file("home/d010/f012a", "new");
  const BackupReport second = run(files);
  EXPECT_EQ(second.files_changed, 1u);
  EXPECT_EQ(second.files_new, 1u);
  EXPECT_EQ(second.data_blobs, 1u);
  EXPECT_LE(second.tree_blobs, 3u);     // a leaf or two, and the node above
  EXPECT_LT(second.data_added, 4000u);  // not the leaf's 500 entries
  expect_same(second, files);
  // And on top of the delta, back again and elsewhere.
  files.file("home/d010/f011", "here again", 3);
  files.file("home/d030/f000", "edited too", 3);
  expect_same(run(files), files);
  files.remove("home/d030/f000");
  expect_same(run(files), files);
}

TEST_F(Backup, RandomHistoriesComeBackExactly) {
  std::mt19937_64 random(5);
  FileSet files = home(30, 40);
  std::vector<std::pair<BackupReport, FileSet>> history;
  for (int run_number = 2; run_number < 12; ++run_number) {
    for (int edits = static_cast<int>(random() % 200); edits > 0; --edits) {
      const std::string path = fmt::format("home/d{:03}/f{:03}", random() % 35, random() % 50);
      if (random() % 3 == 0) {
        files.remove(path);
      } else {
        files.file(path, prose(random() % 3000, random() % 50), run_number);
      }
    }
    BackupSpec spec = BackupWorld::spec();
    spec.mode = static_cast<model::BackupMode>(random() % 3);
    spec.workers = 1 + static_cast<unsigned>(random() % 3);
    history.emplace_back(run(files, spec), files);
  }
  for (const auto& [report, was] : history) expect_same(report, was);
}

TEST_F(Backup, OfAPatchedImageOnlyChangedPagesAreStored) {
  FileSet files;
  files.directory("home");
  std::string image = noise(70 * kMiB, 3);  // more than one range
  files.file("home/disk.img", image);
  run(files);
  for (int version = 2; version < 6; ++version) {
    for (std::size_t page = 100; page < 17000; page += 1700) {
      const std::string fresh = noise(4096, page * 31 + static_cast<std::uint64_t>(version));
      image.replace((page + static_cast<std::size_t>(version)) * 4096, 4096, fresh);
    }
    image.replace(9000 * 4096, 8192, std::string(8192, '\0'));
    files.file("home/disk.img", image, version);
    const BackupReport report = run(files);
    EXPECT_EQ(report.files_changed, 1u);
    EXPECT_LT(report.data_added, 12u * 4096 + 20000) << version;
    expect_same(report, files);
  }
  image += noise(8192, 99);  // it grows by two pages
  files.file("home/disk.img", image, 9);
  const BackupReport grown = run(files);
  EXPECT_LT(grown.data_added, 8 * kMiB);
  expect_same(grown, files);
  image.resize(30 * kMiB);
  files.file("home/disk.img", image, 10);
  const BackupReport shorter = run(files);
  EXPECT_LT(shorter.data_added, 100u * 1024);
  expect_same(shorter, files);
}

TEST_F(Backup, EqualFilesAreStoredOnce) {
  FileSet files = home(5, 20);
  run(files);
  files.directory("home/z", 2);
  // Copies under other names, small and large, in another order.
  for (int f = 0; f < 20; ++f) {
    files.file(fmt::format("home/z/copy{:02}", 19 - f), files.at(fmt::format("home/d003/f{:03}", f)).bytes,
               2);
  }
  files.file("home/z/large", files.at("home/large").bytes, 2);
  const BackupReport report = run(files);
  EXPECT_EQ(report.data_blobs, 0u);
  expect_same(report, files);
}

TEST_F(Backup, WhatIsAliveOfAMostlyDeadBundleIsStoredAnew) {
  FileSet files;
  files.directory("home");
  for (int i = 0; i < 100; ++i)
    files.file(fmt::format("home/f{:03}", i), noise(8000, static_cast<std::uint64_t>(i)));
  const auto before = entries(run(files));
  const auto chunk_of = [](const std::map<std::string, model::Entry>& all, const std::string& path) {
    return all.at(path).content.front().chunk;
  };
  // Of the first bundle just three files are left.
  std::vector<std::string> members;
  for (const auto& [path, entry] : before) {
    if (path != "home" && chunk_of(before, path) == chunk_of(before, "home/f000")) members.push_back(path);
  }
  ASSERT_GT(members.size(), 10u);
  for (std::size_t i = 0; i + 3 < members.size(); ++i) files.remove(members[i]);
  expect_same(run(files), files);  // sees that it is mostly dead
  files.file("home/a", "comes before them", 3);
  const BackupReport third = run(files);
  expect_same(third, files);
  const auto rescued = entries(third);
  EXPECT_NE(chunk_of(rescued, members.back()), chunk_of(before, members.back()));
  // Once rescued they stay.
  files.file("home/a", "edited", 4);
  EXPECT_EQ(chunk_of(entries(run(files)), members.back()), chunk_of(rescued, members.back()));
}

namespace {

// Requests a stop after so many items.
class StoppingSource final : public source::Source {
 public:
  StoppingSource(const FileSet& files, int items) : source_(files.list()), left_(items) {}
  bool repeatable() const override { return false; }
  Result<bool> next(source::Item& item, std::stop_token stop) override {
    if (left_-- == 0) stop_.request_stop();
    return source_.next(item, stop);
  }
  Result<void> complete(source::Item& item) override { return source_.complete(item); }
  Result<std::unique_ptr<source::Content>> open(const source::Item& item) override {
    ++opened;
    return source_.open(item);
  }
  std::stop_token token() const { return stop_.get_token(); }
  int opened = 0;

 private:
  source::MemorySource source_;
  std::stop_source stop_;
  int left_;
};

}  // namespace

TEST_F(Backup, AStoppedRunLeavesACheckpointThatTheNextGoesOnFrom) {
  FileSet files = home();
  for (int d = 0; d < 20; ++d) {  // a bundle is read once it is full: make it several
    for (int f = 0; f < 30; ++f) {
      files.file(fmt::format("home/d{:03}/f{:03}", d, f),
                 noise(20'000, static_cast<std::uint64_t>(d * 1000 + f)));
    }
  }
  StoppingSource stopped(files, 400);
  const auto first = world_.backup_from(stopped, BackupWorld::spec(), nullptr, stopped.token());
  ASSERT_FALSE(first.ok());
  EXPECT_EQ(first.error().kind(), Errc::stopped);
  {
    const auto repository = world_.open();
    const auto history = repository.value()->history({});
    ASSERT_EQ(history.value().commits.size(), 1u);
    EXPECT_EQ(history.value().commits.front().commit.kind, model::CommitKind::checkpoint);
    EXPECT_TRUE(history.value().snapshots().empty());
  }
  StoppingSource again(files, -1);
  const auto second = world_.backup_from(again, BackupWorld::spec());
  ASSERT_TRUE(second.ok());
  expect_same(second.value(), files);
  EXPECT_LT(again.opened, 300);  // the rest of 601 files
  const auto repository = world_.open();
  const auto history = repository.value()->history({});
  EXPECT_EQ(history.value().log.abandoned.size(), 1u);
}

TEST_F(Backup, AStopInALaterRunKeepsWhatThePreviousTreeHad) {
  FileSet files = home();
  run(files);
  for (int d = 0; d < 20; ++d)
    files.file(fmt::format("home/d{:03}/f003", d), noise(140'000, static_cast<std::uint64_t>(d)), 2);
  StoppingSource stopped(files, 300);
  ASSERT_FALSE(world_.backup_from(stopped, BackupWorld::spec(), nullptr, stopped.token()).ok());
  StoppingSource again(files, -1);
  const auto report = world_.backup_from(again, BackupWorld::spec());
  ASSERT_TRUE(report.ok());
  EXPECT_LT(again.opened, 20);
  expect_same(report.value(), files);
}

TEST_F(Backup, RefusesASourceThatVanished) {
  const FileSet files = home();
  run(files);
  FileSet nothing;
  nothing.directory("home");
  const auto report = world_.backup(nothing);
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().kind(), Errc::guarded);
  EXPECT_FALSE(world_.backup(FileSet()).ok());
  const auto repository = world_.open();
  EXPECT_EQ(repository.value()->history({}).value().commits.size(), 1u);
  BackupSpec meant = BackupWorld::spec();
  meant.allow_shrink = true;
  expect_same(run(nothing, meant), nothing);
}

TEST_F(Backup, LeavesOutWhatCantBeReadAndSaysSo) {
  FileSet files = home(3, 10);
  files.at("home/d001/f004").open_error = Errc::denied;
  files.at("home/large").open_error = Errc::failed;
  files.at("home/d002/f001").open_error = Errc::not_found;  // vanished since it was listed: no fault
  const BackupReport report = run(files);
  EXPECT_TRUE(report.partial);
  EXPECT_TRUE(report.snapshot->commit.partial);
  EXPECT_EQ(report.problems, 2u);
  for (const char* path : {"home/d001/f004", "home/large", "home/d002/f001"}) files.remove(path);
  expect_same(report, files);
}

TEST_F(Backup, ALinkWhoseTargetCantBeReadIsLeftOut) {
  FileSet files = home(3, 10);
  files.symlink("home/link", "d001");
  files.symlink("home/other", "d002").complete_error = Errc::failed;
  const BackupReport report = run(files);
  EXPECT_TRUE(report.partial);
  EXPECT_EQ(report.problems, 1u);
  files.remove("home/other");
  expect_same(report, files);
}

TEST_F(Backup, AnUnreadableDirectoryMakesItPartial) {
  FileSet files = home(3, 10);
  files.at("home/d001").item.problem = "permission denied";
  const BackupReport report = run(files);
  EXPECT_TRUE(report.partial);
  expect_same(report, files);
}

TEST_F(Backup, LargeAttributesMakeSmallLeaves) {
  FileSet files;
  for (int i = 0; i < 40; ++i) {
    files.file("f" + std::to_string(i), "x").item.entry.attributes.xattrs = {{"user.a", prose(kMiB, 1)}};
  }
  expect_same(run(files), files);
  files.file("f7", "y", 2).item.entry.attributes.xattrs = {{"user.a", prose(kMiB, 2)}};
  expect_same(run(files), files);
}

TEST_F(Backup, WhatNoLeafCanHoldIsLeftOutAndNamed) {
  FileSet files = home(1, 5);
  files.file("home/x", "x").item.entry.attributes.xattrs = {{"user.a", prose(17 * kMiB, 1)}};
  files.file("home/" + std::string(70'000, 'n'), "y");
  const BackupReport report = run(files);
  EXPECT_EQ(report.problems, 2u);
  EXPECT_TRUE(report.partial);
  files.at("home/x").item.entry.attributes.xattrs.clear();
  files.remove("home/" + std::string(70'000, 'n'));
  expect_same(report, files);
}

TEST_F(Backup, DifferentialBuildsOnTheLastFullOne) {
  FileSet files = home(10, 10);
  BackupSpec full = BackupWorld::spec();
  full.mode = model::BackupMode::full;
  const BackupReport first = run(files, full);
  files.file("home/d001/f001", "edited", 2);
  const BackupReport second = run(files);
  BackupSpec differential = BackupWorld::spec();
  differential.mode = model::BackupMode::differential;
  files.file("home/d002/f001", "edited", 3);
  const BackupReport third = run(files, differential);
  EXPECT_EQ(third.files_changed, 2u);
  EXPECT_EQ(third.snapshot->commit.parent, first.snapshot->commit.transaction);
  EXPECT_EQ(third.snapshot->commit.mode, model::BackupMode::differential);
  expect_same(third, files);
  const BackupReport fourth = run(files);
  EXPECT_EQ(fourth.files_changed, 0u);
  EXPECT_EQ(fourth.snapshot->commit.parent, third.snapshot->commit.transaction);
}

TEST_F(Backup, AFullRunReadsEverythingAndStoresNothingTwice) {
  const FileSet files = home(10, 10);
  run(files);
  BackupSpec full = BackupWorld::spec();
  full.mode = model::BackupMode::full;
  StoppingSource source(files, -1);
  const auto report = world_.backup_from(source, full);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(source.opened, 10 * 10 + 1);
  EXPECT_EQ(report.value().data_blobs, 0u);
  EXPECT_FALSE(report.value().snapshot->commit.parent.has_value());
  expect_same(report.value(), files);
}

TEST_F(Backup, HardLinksShareAGroup) {
  FileSet files = home(2, 4);
  for (const char* path : {"home/a", "home/z"}) {
    source::Item& item = files.file(path, "one file of two names").item;
    item.stamp.inode = 77;
    item.device = 5;
    item.links = 2;
  }
  source::Item& other_disk = files.file("home/y", "another").item;
  other_disk.stamp.inode = 77;
  other_disk.device = 6;
  other_disk.links = 2;
  for (int i = 0; i < 2; ++i) {
    const auto all = entries(run(files));
    EXPECT_NE(all.at("home/a").link_group, 0u);
    EXPECT_EQ(all.at("home/a").link_group, all.at("home/z").link_group);
    EXPECT_NE(all.at("home/a").link_group, all.at("home/y").link_group);
    EXPECT_EQ(all.at("home/d000/f000").link_group, 0u);
  }
}

TEST_F(Backup, HolesAreNotStored) {
  FileSet files;
  files.directory("home");
  std::string sparse(40 * kMiB + 100, '\0');
  sparse.replace(10 * kMiB, 300'000, noise(300'000, 1));
  auto& file = files.file("home/sparse", sparse);
  file.holes = {{0, 10 * kMiB}, {10 * kMiB + 300'000, sparse.size()}};
  std::string zeros(40 * kMiB, '\0');  // zeros that the file system does not know to be a hole
  zeros.replace(20 * kMiB, 4096, noise(4096, 2));
  files.file("home/zeros.img", zeros);
  files.file("home/small-zeros", std::string(5000, '\0'));
  const BackupReport report = run(files);
  EXPECT_LT(report.data_added, 3 * kMiB);
  expect_same(report, files);
  const auto all = entries(report);
  EXPECT_TRUE(all.at("home/sparse").content.front().hole);
  EXPECT_TRUE(all.at("home/small-zeros").content.front().hole);
}

TEST_F(Backup, ChangedWhileReadIsMarkedAndReadAgain) {
  FileSet files = home(2, 4);
  files.at("home/d000/f001").changes_while_read = true;
  files.at("home/large").changes_while_read = true;
  const BackupReport first = run(files);
  EXPECT_EQ(first.changed_while_read, 2u);
  EXPECT_TRUE(entries(first).at("home/large").changed_while_read);
  files.at("home/d000/f001").changes_while_read = false;
  files.at("home/large").changes_while_read = false;
  const BackupReport second = run(files);
  EXPECT_EQ(second.files_changed, 2u);
  EXPECT_FALSE(entries(second).at("home/large").changed_while_read);
  expect_same(second, files);
}

TEST_F(Backup, AFileChangedWithinTheClocksGrainIsReadAgain) {
  FileSet files = home(2, 4);
  // Its ctime is just when the first backup begins: it may change again without the ctime moving.
  const std::int64_t start_ns = world_.clock().now_ns() + 3'600'000'000'000;
  files.at("home/d000/f001").item.stamp.ctime = {start_ns / 1'000'000'000, 0};
  run(files);
  files.at("home/d000/f001").bytes[0] ^= 1;
  const BackupReport second = run(files);
  EXPECT_EQ(second.files_changed, 1u);
  expect_same(second, files);
}

TEST_F(Backup, ADryRunWritesNothing) {
  FileSet files = home(2, 4);
  run(files);
  files.file("home/more", noise(200'000, 4), 2);
  const auto before = names(*storage_, "");
  BackupSpec dry = BackupWorld::spec();
  dry.dry_run = true;
  const BackupReport report = run(files, dry);
  EXPECT_EQ(report.files_new, 1u);
  EXPECT_GE(report.data_added, 200'000u);
  EXPECT_EQ(names(*storage_, ""), before);
}

TEST_F(Backup, SkipIfUnchangedLeavesNoSnapshotAndNoPack) {
  const FileSet files = home(2, 4);
  run(files);
  const auto before = packs();
  BackupSpec skip = BackupWorld::spec();
  skip.skip_if_unchanged = true;
  EXPECT_FALSE(run(files, skip).snapshot.has_value());
  EXPECT_EQ(packs(), before);
  // Nobody has to wait for the transaction.
  const auto history = world_.open().value()->history({});
  EXPECT_EQ(history.value().aborted.size(), 1u);
  EXPECT_TRUE(history.value().undecided.empty());
}

TEST_F(Backup, WithoutWhatWasRememberedNothingIsStoredTwiceThatIsIndexed) {
  const FileSet files = home(5, 10);
  run(files);
  // A forgotten parent is not built upon.
  const auto repository = world_.open();
  repo::LogState log;
  ASSERT_TRUE(repository.value()->log().follow(log, {}).ok());
  const auto history = repository.value()->history({});
  ASSERT_TRUE(repository.value()
                  ->log()
                  .append(log, repo::Forget{{history.value().commits.front().commit.transaction}},
                          repository.value()->now(), world_.random(), {})
                  .ok());
  const BackupReport second = run(files);
  EXPECT_EQ(second.files_new, 51u);
  EXPECT_EQ(second.data_blobs, 0u);
  expect_same(second, files);
}

namespace {

// A maintainer prunes in the middle of the walk.
class PrunedSource final : public source::Source {
 public:
  PrunedSource(const FileSet& files, BackupWorld& world, PruneOptions options)
      : source_(files.list()), world_(world), options_(options) {}
  bool repeatable() const override { return false; }
  Result<bool> next(source::Item& item, std::stop_token stop) override {
    if (++items_ == 60) {
      const auto repository = TRY(world_.open());
      SilentObserver silent;
      report = TRY(prune(*repository, options_, silent, {}));
    }
    return source_.next(item, stop);
  }
  Result<void> complete(source::Item& item) override { return source_.complete(item); }
  Result<std::unique_ptr<source::Content>> open(const source::Item& item) override {
    return source_.open(item);
  }
  PruneReport report;

 private:
  source::MemorySource source_;
  BackupWorld& world_;
  PruneOptions options_;
  int items_ = 0;
};

}  // namespace

class PrunedBackup : public Backup {
 protected:
  // Two snapshots, the first of which is forgotten: there is something to prune.
  PrunedBackup() {
    files_ = home(5, 20);
    run(files_);
    files_.remove("home/large");
    run(files_);
    const auto repository = std::move(world_.open()).value();
    repo::LogState log;
    EXPECT_TRUE(repository->log().follow(log, {}).ok());
    const auto history = repository->history({});
    const repo::Forget forget{{history.value().commits.front().commit.transaction}};
    EXPECT_TRUE(repository->log().append(log, forget, repository->now(), world_.random(), {}).ok());
    options_.wait_ms = 0;
    options_.max_unused_percent = 0;
    files_.file("home/large-again", noise(3'000'001, 7), 3);  // what the prune takes away
  }
  void expect_clean() {
    const auto repository = std::move(world_.open()).value();
    SilentObserver silent;
    CheckSpec spec;
    spec.level = CheckLevel::full;
    const auto report = check(*repository, spec, silent, {});
    ASSERT_TRUE(report.ok());
    for (const Finding& f : report.value().findings) ADD_FAILURE() << f.object << ": " << f.text;
  }
  FileSet files_;
  PruneOptions options_;
};

TEST_F(PrunedBackup, APruneThatWaitsTakesNothingFromARunUnderWay) {
  PrunedSource source(files_, world_, options_);
  const auto report = world_.backup_from(source, BackupWorld::spec());
  ASSERT_TRUE(report.ok()) << report.error().text();
  EXPECT_EQ(source.report.blocked_by.size(), 1u);
  expect_same(report.value(), files_);
  expect_clean();
}

TEST_F(PrunedBackup, ARunThatIsAbortedSaysSoAndTheNextSucceeds) {
  options_.abort_open_after_s = 0;
  PrunedSource source(files_, world_, options_);
  const auto report = world_.backup_from(source, BackupWorld::spec());
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().kind(), Errc::conflict);
  EXPECT_EQ(source.report.aborted.size(), 1u);
  expect_clean();
  expect_same(run(files_), files_);
  expect_clean();
}

}  // namespace holdfast::flow
