#include "storage/cache.h"

#include "storage/memory.h"
#include "storage/metrics.h"
#include "tests/support/sim_disk.h"

namespace holdfast::storage {

namespace {

using testing::DiskFault;

class CacheTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(remote_->put(name(i), object(i), {}).ok());
    open();
  }
  void open() {
    storage_ = cached(metered(open_memory(content_), metrics_), disk_, "/var/cache",
                      {.accepts = [](std::string_view n) { return n.starts_with("m/"); },
                       .bytes_max = 4000,
                       .object_bytes_max = 1500});
  }
  static std::string name(int i) { return fmt::format("m/{}", i); }
  static Buffer object(int i) { return Buffer(1000, static_cast<std::uint8_t>(i)); }
  void read(int i) {
    const Result<Buffer> bytes = storage_->get(name(i), {}, {});
    ASSERT_TRUE(bytes.ok()) << bytes.error().text();
    EXPECT_EQ(bytes.value(), object(i));
  }
  std::uint64_t asked() const { return metrics_.counts().of(Operation::get).calls; }
  std::uint64_t cache_bytes() {
    std::uint64_t sum = 0;
    const auto leaves = disk_.list("/var/cache");
    if (!leaves.ok()) return 0;
    for (const std::string& leaf : leaves.value()) sum += disk_.stat("/var/cache/" + leaf).value().size_bytes;
    return sum;
  }

  testing::SimDisk disk_;
  StorageMetrics metrics_;
  std::shared_ptr<MemoryContent> content_ = std::make_shared<MemoryContent>();
  std::unique_ptr<Storage> remote_ = open_memory(content_);
  std::unique_ptr<Storage> storage_;
};

}  // namespace

TEST_F(CacheTest, TheSecondReadDoesNotAskTheStoreNorDoesTheNextRun) {
  read(1);
  read(1);
  EXPECT_EQ(asked(), 1u);
  open();
  read(1);
  EXPECT_EQ(storage_->get(name(1), {.offset = 990, .length = 10}, {}).value(), Buffer(10, 1));
  EXPECT_EQ(storage_->get(name(1), {.offset = 990, .length = 11}, {}).error().kind(), Errc::damaged);
  EXPECT_EQ(asked(), 1u);
}

TEST_F(CacheTest, TheLeastRecentlyUsedGoesWhenItIsFull) {
  for (const int i : {1, 2, 3}) read(i);
  read(1);
  read(4);  // takes the place of 2
  EXPECT_LE(cache_bytes(), 4000u);
  EXPECT_EQ(asked(), 4u);
  for (const int i : {1, 3, 4}) read(i);
  EXPECT_EQ(asked(), 4u);
  read(2);
  EXPECT_EQ(asked(), 5u);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 10; ++i) read(i);
    EXPECT_LE(cache_bytes(), 4000u);
  }
}

TEST_F(CacheTest, OnlySmallWholeAcceptedObjectsAreKept) {
  ASSERT_TRUE(remote_->put("m/large", Buffer(1501), {}).ok());
  ASSERT_TRUE(remote_->put("d/other", Buffer(10), {}).ok());
  for (int round = 0; round < 2; ++round) {
    EXPECT_TRUE(storage_->get("m/large", {}, {}).ok());
    EXPECT_TRUE(storage_->get("d/other", {}, {}).ok());
    EXPECT_TRUE(storage_->get(name(1), {.offset = 1, .length = 5}, {}).ok());
  }
  EXPECT_EQ(asked(), 6u);
  EXPECT_EQ(cache_bytes(), 0u);
}

TEST_F(CacheTest, DamageAnywhereIsAMissAndMendsItself) {
  read(1);
  const std::string file = "/var/cache/" + disk_.list("/var/cache").value().at(0);
  const std::uint64_t size_bytes = disk_.stat(file).value().size_bytes;
  for (std::uint64_t at = 0; at < size_bytes; at += 7) {
    disk_.decay(file, at);
    const std::uint64_t before = asked();
    read(1);
    EXPECT_EQ(asked(), before + 1) << "damage at " << at << " was not seen";
    read(1);
    EXPECT_EQ(asked(), before + 1) << "not mended";
  }
}

TEST_F(CacheTest, AFileUnderAnotherObjectsNameIsAMiss) {
  // Two stores that share a directory by mistake, or a renamed file: same bytes, other name.
  read(1);
  ASSERT_TRUE(disk_.open("/var/cache/o_m_1").value()->link("/var/cache/o_m_2").ok());
  read(2);
  EXPECT_EQ(asked(), 2u);
}

TEST_F(CacheTest, NoFaultOfTheDiskFailsARead) {
  for (const DiskFault fault : {DiskFault::io_error, DiskFault::no_space, DiskFault::short_io}) {
    for (std::uint64_t n = 1; n < 60; ++n) {
      disk_.fault_at(n, fault, /*lasting=*/n % 2 == 0);
      if (n % 5 == 0) open();
      for (const int i : {1, 2, 1, 3, 4, 5, 1}) read(i);
    }
  }
  disk_.clear_faults();
  for (std::uint64_t seed = 1; seed < 50; ++seed) {
    for (const int i : {1, 2, 3}) read(i);
    disk_.crash(seed);
    for (const int i : {1, 2, 3}) read(i);
    open();
  }
}

}  // namespace holdfast::storage
