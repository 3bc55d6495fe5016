// Several index objects, as of several processes, on one folder; and several threads on one object.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/file.h>

#include <fstream>
#include <thread>

#include "base/fd.h"
#include "world.h"

namespace holdfast::repo {
namespace {

class IndexSharedTest : public ::testing::Test {
 protected:
  std::unique_ptr<Index> open() { return Index::open(folder_.path(), cache_key(), {}, random_); }
  TemporaryFolder folder_;
  SeededRandom random_{5};
};

TEST_F(IndexSharedTest, NeitherLosesWhatTheOtherAdds) {
  const auto a = open();
  const auto b = open();
  for (std::uint32_t i = 0; i < 20; ++i) ASSERT_TRUE(add(i % 2 == 0 ? *a : *b, records_of(100 * i, 100), i));
  const auto c = open();
  for (std::uint64_t i = 0; i < 2000; ++i) ASSERT_EQ(c->find(key_of(i)), record_of(i));
  for (std::uint32_t i = 0; i < 20; ++i) EXPECT_TRUE(c->covers(transaction_of(i)));
  EXPECT_EQ(b->find(key_of(1)), record_of(1));  // the last to add has seen all
  EXPECT_TRUE(a->healthy() && b->healthy() && c->healthy());
}

TEST_F(IndexSharedTest, StaleReaderKeepsItsFiles) {
  const auto a = open();
  ASSERT_TRUE(add(*a, records_of(0, 100), 0));
  ASSERT_TRUE(add(*a, records_of(100, 100), 1));
  const auto stale = open();
  ASSERT_TRUE(a->merge(Index::Merge::all));
  EXPECT_EQ(folder_.files("segment-").size(), 1U);
  for (std::uint64_t i = 0; i < 200; ++i) ASSERT_EQ(stale->find(key_of(i)), record_of(i));
  ASSERT_TRUE(add(*stale, records_of(200, 100), 2));
  EXPECT_EQ(stale->usage().segments, 2U);
  EXPECT_TRUE(stale->healthy());
  const auto again = open();
  for (std::uint64_t i = 0; i < 300; ++i) ASSERT_EQ(again->find(key_of(i)), record_of(i));
}

TEST_F(IndexSharedTest, MergeOfWhatAnotherHasMergedIsDiscarded) {
  const auto a = open();
  ASSERT_TRUE(add(*a, records_of(0, 100), 0));
  ASSERT_TRUE(add(*a, records_of(100, 100), 1));
  const auto b = open();
  ASSERT_TRUE(a->merge(Index::Merge::all));
  EXPECT_FALSE(b->merge(Index::Merge::all));
  EXPECT_TRUE(b->healthy());
  EXPECT_EQ(folder_.files("segment-").size(), 1U);
  for (std::uint64_t i = 0; i < 200; ++i) ASSERT_EQ(b->find(key_of(i)), record_of(i));
}

TEST_F(IndexSharedTest, SweepsWhatACrashLeftButNothingHeld) {
  const std::string left = folder_.path() + "/segment-00000000000000000000000000000000";
  const std::string held = folder_.path() + "/segment-11111111111111111111111111111111";
  const std::string foreign = folder_.path() + "/notes";
  for (const std::string& file : {left, held, foreign, folder_.path() + "/manifest-0011"})
    std::ofstream(file) << "x";
  const Fd fd(::open(held.c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_EQ(::flock(fd.get(), LOCK_EX), 0);
  ASSERT_TRUE(add(*open(), {}, 0));
  EXPECT_FALSE(std::filesystem::exists(left));
  EXPECT_TRUE(std::filesystem::exists(held));
  EXPECT_TRUE(std::filesystem::exists(foreign));
  EXPECT_EQ(folder_.files("manifest").size(), 1U);
}

TEST_F(IndexSharedTest, ThreadsFindWhileOthersAddAndMerge) {
  const auto a = open();
  const auto b = open();
  ASSERT_TRUE(add(*a, records_of(0, 500), 0));
  std::atomic<bool> done = false;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 engine(t);
      do {
        const std::uint64_t i = engine() % 4000;
        const auto record = a->find(key_of(i));
        if (record ? *record != record_of(i) : i < 500) ++wrong;
      } while (!done);
    });
  }
  threads.emplace_back([&] {
    for (std::uint32_t i = 0; i < 15; ++i) add(*b, records_of(2000 + 100 * i, 100), 100 + i);
  });
  for (std::uint32_t i = 1; i < 15; ++i) {
    EXPECT_TRUE(add(*a, records_of(400 + 100 * i, 100), i));
    a->merge(Index::Merge::due);
  }
  threads.back().join();
  threads.pop_back();
  done = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  const auto c = open();
  for (std::uint64_t i = 0; i < 1900; ++i) ASSERT_EQ(c->find(key_of(i)), record_of(i));
  for (std::uint64_t i = 2000; i < 3500; ++i) ASSERT_EQ(c->find(key_of(i)), record_of(i));
  EXPECT_TRUE(a->healthy() && b->healthy() && c->healthy());
}

}  // namespace
}  // namespace holdfast::repo
