#include "storage/posix_disk.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "base/fd.h"
#include "storage/local.h"
#include "tests/support/scratch_dir.h"

namespace holdfast::storage {

namespace {

namespace fs = std::filesystem;

std::size_t files_in(const std::string& path) {
  if (!fs::exists(path)) return 0;
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(path), fs::directory_iterator()));
}

std::string features_name(const ::testing::TestParamInfo<PosixFeatures>& info) {
  if (!info.param.nameless_files) return "NoNamelessFiles";
  return info.param.hard_links ? "All" : "NoHardLinks";
}

class PosixDiskTest : public ::testing::TestWithParam<PosixFeatures> {
 protected:
  testing::ScratchDir scratch_;
  const std::string& path_ = scratch_.path();
  PosixDisk disk_{GetParam()};
};

}  // namespace

TEST_P(PosixDiskTest, AScratchFileShowsOnlyWhenLinkedAndIsPrivate) {
  Result<std::unique_ptr<DiskFile>> file = disk_.scratch(path_);
  ASSERT_TRUE(file.ok()) << file.error().text();
  ASSERT_TRUE(write_all(*file.value(), 0, as_bytes("abc")).ok());
  ASSERT_TRUE(file.value()->link(path_ + "/name").ok());
  struct stat info;
  ASSERT_EQ(::stat((path_ + "/name").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  EXPECT_EQ(info.st_size, 3);
  EXPECT_EQ(info.st_nlink, 1u);
  EXPECT_EQ(files_in(path_ + "/" + kScratchFolder), 0u);
  const Result<void> again = file.value()->link(path_ + "/name");
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().kind(), Errc::exists);
}

TEST_P(PosixDiskTest, ADroppedScratchFileLeavesNothing) {
  {
    Result<std::unique_ptr<DiskFile>> file = disk_.scratch(path_);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE(write_all(*file.value(), 0, as_bytes("abc")).ok());
  }
  EXPECT_EQ(files_in(path_ + "/" + kScratchFolder), 0u);
}

TEST_P(PosixDiskTest, ErrorsCarryTheirKind) {
  EXPECT_EQ(disk_.open(path_ + "/no").error().kind(), Errc::not_found);
  EXPECT_EQ(disk_.open(path_).error().kind(), Errc::not_found);
  EXPECT_EQ(disk_.list(path_ + "/no").error().kind(), Errc::not_found);
  EXPECT_EQ(disk_.make_directory(path_).error().kind(), Errc::exists);
  EXPECT_EQ(disk_.scratch(path_ + "/no").error().kind(), Errc::not_found);
  ASSERT_EQ(::symlink("/etc/hostname", (path_ + "/link").c_str()), 0);
  EXPECT_FALSE(disk_.open(path_ + "/link").ok());  // never through a link planted in the store
}

INSTANTIATE_TEST_SUITE_P(Features, PosixDiskTest,
                         ::testing::Values(PosixFeatures{}, PosixFeatures{.nameless_files = false},
                                           PosixFeatures{.hard_links = false}),
                         features_name);

TEST(PosixDisk, OnlyScratchFilesWithoutALivingOwnerAreCleared) {
  const testing::ScratchDir scratch;
  PosixDisk disk({.nameless_files = false});
  const Result<std::unique_ptr<DiskFile>> living = disk.scratch(scratch.path());
  ASSERT_TRUE(living.ok());
  const std::string folder = scratch.path() + "/" + kScratchFolder;
  std::ofstream(folder + "/leftover") << "of a crashed process";
  ASSERT_EQ(files_in(folder), 2u);
  ASSERT_TRUE(disk.clear_scratch(scratch.path()).ok());
  EXPECT_EQ(files_in(folder), 1u);
  EXPECT_FALSE(fs::exists(folder + "/leftover"));
  EXPECT_TRUE(living.value()->link(scratch.path() + "/saved").ok());
}

TEST(Local, OpensOnlyWhatIsThereUnlessToldToCreate) {
  const testing::ScratchDir scratch;
  PosixDisk disk;
  const std::string path = scratch.path() + "/a/b/";
  const auto missing = open_local(disk, path, IfMissing::fail);
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().kind(), Errc::not_found);
  ASSERT_TRUE(open_local(disk, path, IfMissing::create).ok());
  ASSERT_TRUE(open_local(disk, path, IfMissing::fail).ok());
  EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_all);
  fs::create_directory_symlink(scratch.path() + "/a/b", scratch.path() + "/link");
  EXPECT_TRUE(open_local(disk, scratch.path() + "/link", IfMissing::fail).ok());
  std::ofstream(scratch.path() + "/file") << "x";
  EXPECT_FALSE(open_local(disk, scratch.path() + "/file", IfMissing::create).ok());
}

TEST(Local, StrangersInTheDirectoryAreNoObjects) {
  const testing::ScratchDir scratch;
  PosixDisk disk;
  const auto storage = open_local(disk, scratch.path(), IfMissing::fail);
  ASSERT_TRUE(storage.ok());
  fs::create_directory(scratch.path() + "/lost+found");
  std::ofstream(scratch.path() + "/lost+found/object") << "x";
  std::ofstream(scratch.path() + "/README") << "x";
  fs::create_symlink("/etc/hostname", scratch.path() + "/link");
  ASSERT_EQ(::mkfifo((scratch.path() + "/pipe").c_str(), 0600), 0);
  const Result<void> listed = storage.value()->list("",
                                                    [](const ObjectInfo& object) -> Result<void> {
                                                      return Error(Errc::failed, "an object? " + object.name);
                                                    },
                                                    {});
  EXPECT_TRUE(listed.ok()) << listed.error().text();
  EXPECT_EQ(storage.value()->stat("link", {}).error().kind(), Errc::not_found);
  EXPECT_EQ(storage.value()->get("pipe", {}, {}).error().kind(), Errc::not_found);
}

}  // namespace holdfast::storage
