// Copies between repositories: exact, each chunk once, nothing twice; with and without a shared content
// secret.
#include "flow/copy.h"

#include "flow/check.h"
#include "repo/pack_format.h"
#include "storage/memory.h"
#include "tests/support/backup_world.h"

namespace holdfast::flow {

namespace {

using testing::BackupWorld;
using testing::FileSet;
using testing::names;
using testing::noise;
using testing::prose;

class Copy : public ::testing::TestWithParam<bool> {
 protected:
  Copy()
      : from_storage_(storage::open_memory()),
        to_storage_(storage::open_memory()),
        from_(*from_storage_, 1),
        to_(*to_storage_, 2) {
    EXPECT_TRUE(from_.create().ok());
    source_ = std::move(from_.open()).value();
    repo::CreateOptions like;
    like.chunks_like = &source_->config();
    like.content_like = &*source_->secrets().content;
    EXPECT_TRUE(to_.create(GetParam() ? &like : nullptr).ok());
    destination_ = std::move(to_.open()).value();
    local_ = repo::LocalState::open(to_.cache(), *destination_);
  }

  CopyReport run() {
    const auto history = source_->history({});
    SilentObserver silent;
    auto report = copy(*source_, history.value().snapshots(), *destination_, *local_, silent, {});
    EXPECT_TRUE(report.ok()) << report.error().text();
    return report.ok() ? std::move(report).value() : CopyReport{};
  }
  std::vector<repo::Snapshot> copies() {
    std::vector<repo::Snapshot> out;
    const auto history = destination_->history({});
    for (const repo::Snapshot* s : history.value().snapshots()) out.push_back(*s);
    return out;
  }
  void expect_clean() {
    SilentObserver silent;
    CheckSpec spec;
    spec.level = CheckLevel::full;
    const auto report = check(*destination_, spec, silent, {});
    ASSERT_TRUE(report.ok());
    for (const Finding& f : report.value().findings) ADD_FAILURE() << f.object << ": " << f.text;
  }

  std::unique_ptr<storage::Storage> from_storage_, to_storage_;
  BackupWorld from_, to_;
  std::unique_ptr<repo::Repository> source_, destination_;
  std::unique_ptr<repo::LocalState> local_;
};

FileSet sample() {
  FileSet files;
  files.directory("home");
  for (int i = 0; i < 900; ++i)
    files.file(fmt::format("home/f{:03}", i), prose(300, static_cast<std::uint64_t>(i)));
  files.file("home/large", noise(3'000'001, 7));
  files.file("home/disk.img", noise(2 * kMiB, 8));
  files.file("home/zeros", std::string(300'000, '\0'));
  files.symlink("home/link", "large");
  return files;
}

}  // namespace

TEST_P(Copy, GivesTheSameSnapshots) {
  FileSet first = sample();
  const auto one = from_.backup(first);
  FileSet second = first;
  second.file("home/f100", "edited", 2);
  std::string image = first.at("home/disk.img").bytes;
  image.replace(40960, 4096, noise(4096, 70));
  second.file("home/disk.img", image, 2);
  const auto two = from_.backup(second);
  const CopyReport report = run();
  ASSERT_EQ(report.snapshots.size(), 2u);
  const auto made = copies();
  ASSERT_EQ(made.size(), 2u);
  EXPECT_EQ(difference(*destination_, made[0], first), "");
  EXPECT_EQ(difference(*destination_, made[1], second), "");
  EXPECT_LT(report.snapshots[1].plain_bytes, 100'000u);  // the page, the file, a leaf, a node
  const model::Commit& was = two.value().snapshot->commit;
  const model::Commit& is = made[1].commit;
  EXPECT_EQ(is.start, was.start);
  EXPECT_EQ(is.end, was.end);
  EXPECT_EQ(is.host, was.host);
  EXPECT_EQ(is.statistics, was.statistics);
  EXPECT_EQ(is.parent, made[0].commit.transaction);
  expect_clean();
}

TEST_P(Copy, WhatWasCopiedIsNotCopiedAgain) {
  FileSet files = sample();
  ASSERT_TRUE(from_.backup(files).ok());
  run();
  const auto before = names(*to_storage_, "");
  const CopyReport again = run();
  EXPECT_TRUE(again.snapshots[0].was_there);
  EXPECT_EQ(again.snapshots[0].to, copies()[0].id);
  EXPECT_EQ(names(*to_storage_, ""), before);
  files.file("home/f100", "edited", 2);
  ASSERT_TRUE(from_.backup(files).ok());
  const CopyReport third = run();
  EXPECT_TRUE(third.snapshots[0].was_there);
  EXPECT_FALSE(third.snapshots[1].was_there);
  EXPECT_LT(third.snapshots[1].plain_bytes, 200'000u);  // what an earlier run copied is found
  EXPECT_EQ(copies().size(), 2u);
}

TEST_P(Copy, TwoSnapshotsOfOneTimeAreTwo) {
  FileSet files = sample();
  BackupSpec spec = BackupWorld::spec();
  spec.time = model::Time{1'650'000'000, 0};
  spec.mode = model::BackupMode::full;
  ASSERT_TRUE(from_.backup(files, spec).ok());
  run();
  files.file("home/f100", prose(300, 5000), 2);  // the same size: the record of the snapshot hardly differs
  ASSERT_TRUE(from_.backup(files, spec).ok());
  run();
  EXPECT_EQ(copies().size(), 2u);
}

TEST_P(Copy, ADestinationsBackupFindsWhatWasCopied) {
  const FileSet files = sample();
  ASSERT_TRUE(from_.backup(files).ok());
  run();
  const auto report = to_.backup(files);
  ASSERT_TRUE(report.ok());
  // With a content secret of its own the destination cuts large files at other places.
  EXPECT_LE(report.value().data_blobs, GetParam() ? 0u : 4u);
}

TEST_P(Copy, DamageIsNotCopied) {
  ASSERT_TRUE(from_.backup(sample()).ok());
  const std::string pack = names(*from_storage_, "d/").front();
  Buffer bytes = from_storage_->get(pack, {}, {}).value();
  for (std::size_t at = repo::kPackHeaderBytes; at < bytes.size(); at += 4096) bytes[at] ^= 1;
  ASSERT_TRUE(from_storage_->remove(pack, {}).ok());
  ASSERT_TRUE(from_storage_->put(pack, bytes, {}).ok());
  const auto history = source_->history({});
  SilentObserver silent;
  const auto report = copy(*source_, history.value().snapshots(), *destination_, *local_, silent, {});
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().kind(), Errc::damaged);
  EXPECT_TRUE(copies().empty());
  EXPECT_TRUE(destination_->history({}).value().undecided.empty());
}

INSTANTIATE_TEST_SUITE_P(Secrets, Copy, ::testing::Values(true, false),
                         [](const auto& value) { return std::string(value.param ? "Shared" : "Own"); });

}  // namespace holdfast::flow
