// Whatever happens to the files, the index knows less and says nothing wrong.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>

#include "repo/index_layout.h"
#include "world.h"

namespace holdfast::repo {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kRecords = 2000;

void flip(const std::string& path, std::uint64_t offset) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(offset));
  const int byte = file.get();
  ASSERT_NE(byte, EOF);
  file.seekp(static_cast<std::streamoff>(offset));
  file.put(static_cast<char>(byte ^ 0x10));
}

class IndexDamageTest : public ::testing::Test {
 protected:
  std::unique_ptr<Index> open() { return Index::open(folder_.path(), cache_key(), {}, random_); }

  // One segment with transaction 0, one with 1.
  void fill() {
    const auto index = open();
    ASSERT_TRUE(add(*index, records_of(0, kRecords), 0));
    ASSERT_TRUE(add(*index, records_of(kRecords, kRecords), 1));
  }
  // Starts from empty files of another try.
  void refill() {
    for (const auto& file : fs::directory_iterator(folder_.path())) fs::remove(file.path());
    fill();
  }
  static std::uint64_t found(const Index& index) {
    std::uint64_t count = 0;
    for (std::uint64_t i = 0; i < 2 * kRecords; ++i) {
      const auto record = index.find(key_of(i));
      if (!record) continue;
      EXPECT_EQ(*record, record_of(i));
      ++count;
    }
    return count;
  }
  // Damage was met: what was lost isn't covered for the next, and can be learned again.
  void expect_recovers() {
    const auto again = open();
    for (std::uint32_t i = 0; i < 2; ++i) {
      if (again->covers(transaction_of(i))) continue;
      ASSERT_TRUE(add(*again, records_of(i * kRecords, kRecords), i));
    }
    EXPECT_EQ(found(*again), 2 * kRecords);
    const auto after = open();
    EXPECT_EQ(found(*after), 2 * kRecords);
    EXPECT_TRUE(after->healthy());
  }

  TemporaryFolder folder_;
  SeededRandom random_{3};
};

TEST_F(IndexDamageTest, FlipOfAnyPartOfASegment) {
  fill();
  const std::uint64_t size = fs::file_size(folder_.files("segment-")[0]);
  // Header, filter, every page, tables; gaps between parts are of no weight.
  std::vector<std::uint64_t> offsets = {0, 8, 40, 48, kPageBytes, kPageBytes + 100, size - 1, size - 20};
  for (std::uint64_t at = 3 * kPageBytes; at < size; at += kPageBytes)
    offsets.push_back(at + at / kPageBytes * 97 % 4096);
  for (const std::uint64_t offset : offsets) {
    if (offset >= size) continue;
    SCOPED_TRACE(offset);
    refill();
    flip(folder_.files("segment-")[0], offset);
    const auto index = open();
    const std::uint64_t known = found(*index);
    EXPECT_GE(known, kRecords);
    EXPECT_LT(known, 2 * kRecords);
    EXPECT_FALSE(index->healthy());
    EXPECT_NE(index->covers(transaction_of(0)), index->covers(transaction_of(1)));
    expect_recovers();
  }
}

TEST_F(IndexDamageTest, TruncatedSegment) {
  fill();
  const std::uint64_t size = fs::file_size(folder_.files("segment-")[0]);
  for (const std::uint64_t left : {std::uint64_t{0}, std::uint64_t{20}, kPageBytes, size / 2, size - 1}) {
    SCOPED_TRACE(left);
    refill();
    fs::resize_file(folder_.files("segment-")[1], left);
    const auto index = open();
    EXPECT_EQ(found(*index), kRecords);
    EXPECT_FALSE(index->healthy());
    expect_recovers();
  }
}

TEST_F(IndexDamageTest, TruncatedWhileOpen) {
  fill();
  const auto index = open();
  for (const std::string& file : folder_.files("segment-")) fs::resize_file(file, kPageBytes);
  EXPECT_EQ(found(*index), 0U);
  EXPECT_FALSE(index->healthy());
  EXPECT_FALSE(index->covers(transaction_of(0)));
  expect_recovers();
}

TEST_F(IndexDamageTest, DamageMetByAMerge) {
  fill();
  flip(folder_.files("segment-")[0], fs::file_size(folder_.files("segment-")[0]) / 2);
  const auto index = open();
  EXPECT_FALSE(index->merge(Index::Merge::all));
  EXPECT_FALSE(index->healthy());
  EXPECT_EQ(found(*index), kRecords);
  expect_recovers();
}

TEST_F(IndexDamageTest, RemovedFiles) {
  for (const char* prefix : {"segment-", "manifest", "lock", ""}) {
    SCOPED_TRACE(prefix);
    refill();
    fs::remove(folder_.files(prefix)[0]);
    EXPECT_LE(found(*open()), 2 * kRecords);
    expect_recovers();
  }
}

TEST_F(IndexDamageTest, DamagedManifest) {
  fill();
  const std::uint64_t size = fs::file_size(folder_.files("manifest")[0]);
  for (std::uint64_t offset = 0; offset < size; offset += 7) {
    if (offset != 0) refill();
    flip(folder_.files("manifest")[0], offset);
    const auto index = open();
    EXPECT_EQ(index->usage().segments, 0U);
    EXPECT_FALSE(index->covers(transaction_of(0)));
    EXPECT_FALSE(index->healthy());
    if (offset % 70 == 0) expect_recovers();
  }
  refill();
  fs::resize_file(folder_.files("manifest")[0], 0);
  EXPECT_FALSE(open()->healthy());
  expect_recovers();
  EXPECT_EQ(folder_.files("segment-").size(), 2U);
}

TEST_F(IndexDamageTest, SegmentsInEachOthersPlace) {
  fill();
  const auto files = folder_.files("segment-");
  fs::rename(files[0], folder_.path() + "/x");
  fs::rename(files[1], files[0]);
  fs::rename(folder_.path() + "/x", files[1]);
  EXPECT_EQ(found(*open()), 0U);
  expect_recovers();
}

// Pages of one segment are sealed under their number: moved, they don't open.
TEST_F(IndexDamageTest, PagesInEachOthersPlace) {
  fill();
  const std::string path = folder_.files("segment-")[0];
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  const std::uint64_t size = fs::file_size(path);
  const std::uint64_t pages_end = size / kPageBytes * kPageBytes;
  std::array<char, kPageBytes> a{};
  std::array<char, kPageBytes> b{};
  const auto at_a = static_cast<std::streamoff>(pages_end - 2 * kPageBytes);
  const auto at_b = static_cast<std::streamoff>(pages_end - kPageBytes);
  file.seekg(at_a);
  file.read(a.data(), kPageBytes);
  file.read(b.data(), kPageBytes);
  file.seekp(at_a);
  file.write(b.data(), kPageBytes);
  file.seekp(at_b);
  file.write(a.data(), kPageBytes);
  file.close();
  const auto index = open();
  EXPECT_LT(found(*index), 2 * kRecords);
  EXPECT_FALSE(index->healthy());
  expect_recovers();
}

TEST_F(IndexDamageTest, AnotherKeyKnowsNothing) {
  fill();
  const auto other = Index::open(folder_.path(), cache_key(8), {}, random_);
  EXPECT_EQ(found(*other), 0U);
  EXPECT_FALSE(other->covers(transaction_of(0)));
}

TEST_F(IndexDamageTest, FolderThatCannotBe) {
  std::ofstream(folder_.path() + "/file") << "x";
  const auto index = Index::open(folder_.path() + "/file/below", cache_key(), {}, random_);
  EXPECT_FALSE(index->healthy());
  EXPECT_FALSE(add(*index, records_of(0, 10), 0));
  EXPECT_FALSE(index->merge(Index::Merge::all) && index->find(key_of(0)));
  EXPECT_FALSE(index->covers(transaction_of(0)));
}

TEST_F(IndexDamageTest, FolderThatVanishes) {
  fill();
  const auto index = open();
  fs::remove_all(folder_.path());
  EXPECT_EQ(found(*index), 2 * kRecords);  // its files are open
  EXPECT_FALSE(add(*index, records_of(9000, 10), 2));
  EXPECT_FALSE(index->merge(Index::Merge::all));
  EXPECT_FALSE(index->healthy());
  EXPECT_EQ(found(*index), 2 * kRecords);
}

// A file size limit stands in for a full disk: writes come back short, then fail.
TEST_F(IndexDamageTest, FullDisk) {
  fill();
  const auto index =
      Index::open(folder_.path(), cache_key(), {.bytes_max = kGiB, .run_records = 1000}, random_);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit full{30 * kKiB, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &full), 0);
  const bool added = add(*index, records_of(9000, 5000), 2);
  const bool merged = index->merge(Index::Merge::all);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_FALSE(added);
  EXPECT_FALSE(merged);
  EXPECT_FALSE(index->healthy());
  EXPECT_FALSE(index->covers(transaction_of(2)));
  EXPECT_EQ(found(*index), 2 * kRecords);
  EXPECT_EQ(folder_.files("segment-").size(), 2U);
  EXPECT_TRUE(add(*index, records_of(9000, 5000), 2));
  EXPECT_EQ(index->find(key_of(9001)), record_of(9001));
}

}  // namespace
}  // namespace holdfast::repo
