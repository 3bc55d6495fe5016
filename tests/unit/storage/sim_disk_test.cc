// The simulated disk must be able to do what it exists for: lose, tear and keep.
#include "tests/support/sim_disk.h"

namespace holdfast::testing {

namespace {

using storage::DiskFile;
using storage::write_all;

const Buffer kOld(2000, 'o');
const Buffer kNew(2000, 'n');

std::unique_ptr<DiskFile> linked(SimDisk& disk, const std::string& path, const Buffer& bytes) {
  auto file = disk.scratch("/");
  EXPECT_TRUE(write_all(*file.value(), 0, bytes).ok());
  EXPECT_TRUE(file.value()->link(path).ok());
  return std::move(file).value();
}

// What is at `path` after a crash; nothing where the name is lost.
std::optional<Buffer> after_crash(SimDisk& disk, std::uint64_t seed, const std::string& path) {
  disk.crash(seed);
  auto file = disk.open(path);
  if (!file.ok()) return std::nullopt;
  Buffer out(file.value()->size_bytes().value());
  EXPECT_TRUE(out.empty() || read_all(*file.value(), 0, out).ok());
  return out;
}

}  // namespace

TEST(SimDisk, WhatIsSyncedStays) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    SimDisk disk;
    const auto file = linked(disk, "/f", kNew);
    ASSERT_TRUE(file->sync().ok());
    ASSERT_TRUE(disk.sync_directory("/").ok());
    EXPECT_EQ(after_crash(disk, seed, "/f"), kNew);
  }
}

TEST(SimDisk, WhatIsNotSyncedMayBeLostTornOrKept) {
  int lost_names = 0, empty = 0, whole = 0, torn = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SimDisk disk;
    linked(disk, "/f", kNew);
    const std::optional<Buffer> bytes = after_crash(disk, seed, "/f");
    if (!bytes) {
      ++lost_names;
    } else if (bytes->empty()) {
      ++empty;
    } else if (*bytes == kNew) {
      ++whole;
    } else {
      ++torn;
    }
  }
  EXPECT_GT(std::min({lost_names, empty, whole, torn}), 10)
      << lost_names << " " << empty << " " << whole << " " << torn;
}

TEST(SimDisk, AFailedSyncIsNeverMadeGoodByTheNext) {
  int damaged = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    SimDisk disk;
    const auto file = linked(disk, "/f", kNew);
    ASSERT_TRUE(disk.sync_directory("/").ok());
    disk.fault_at(1, DiskFault::io_error);
    ASSERT_FALSE(file->sync().ok());
    ASSERT_TRUE(file->sync().ok());
    if (after_crash(disk, seed, "/f") != kNew) ++damaged;
  }
  EXPECT_GT(damaged, 20);
}

TEST(SimDisk, ALostDirectoryTakesAllAlong) {
  int lost = 0;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    SimDisk disk;
    ASSERT_TRUE(disk.make_directory("/d").ok());
    const auto file = linked(disk, "/d/f", kNew);
    ASSERT_TRUE(file->sync().ok());
    ASSERT_TRUE(disk.sync_directory("/d").ok());
    if (!after_crash(disk, seed, "/d/f")) ++lost;
  }
  EXPECT_GT(lost, 10);
  EXPECT_LT(lost, 40);
}

TEST(SimDisk, ARemovedNameMayComeBackWhole) {
  int back = 0;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    SimDisk disk;
    const auto file = linked(disk, "/f", kOld);
    ASSERT_TRUE(file->sync().ok());
    ASSERT_TRUE(disk.sync_directory("/").ok());
    ASSERT_TRUE(disk.unlink("/f").ok());
    const std::optional<Buffer> bytes = after_crash(disk, seed, "/f");
    if (bytes) {
      EXPECT_EQ(*bytes, kOld);
      ++back;
    }
  }
  EXPECT_GT(back, 10);
  EXPECT_LT(back, 40);
}

TEST(SimDisk, WithoutPowerNothingWorksUntilTheCrashAndOldFilesNeverDo) {
  SimDisk disk;
  const auto file = linked(disk, "/f", kNew);
  disk.fault_at(2, DiskFault::power_loss);
  EXPECT_TRUE(disk.list("/").ok());
  EXPECT_FALSE(disk.list("/").ok());
  EXPECT_FALSE(file->sync().ok());
  disk.crash(1);
  EXPECT_TRUE(disk.list("/").ok());
  EXPECT_FALSE(file->sync().ok());
}

TEST(SimDisk, OneSeedIsOneOutcome) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    std::array<std::optional<Buffer>, 2> outcomes;
    for (auto& outcome : outcomes) {
      SimDisk disk;
      linked(disk, "/f", kNew);
      outcome = after_crash(disk, seed, "/f");
    }
    EXPECT_EQ(outcomes[0], outcomes[1]);
  }
}

}  // namespace holdfast::testing
