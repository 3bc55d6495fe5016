#include "repo/index.h"

#include <gtest/gtest.h>

#include "repo/index_layout.h"
#include "world.h"

namespace holdfast::repo {
namespace {

class IndexTest : public ::testing::Test {
 protected:
  std::unique_ptr<Index> open(const IndexLimits& limits = {}) {
    return Index::open(folder_.path(), cache_key(), limits, random_);
  }
  TemporaryFolder folder_;
  SeededRandom random_{1};
};

TEST_F(IndexTest, NewKnowsNothing) {
  const auto index = open();
  EXPECT_FALSE(index->find(key_of(1)));
  EXPECT_FALSE(index->covers(transaction_of(0)));
  EXPECT_TRUE(index->merge(Index::Merge::due));
  EXPECT_TRUE(index->merge(Index::Merge::all));
  EXPECT_TRUE(index->healthy());
}

TEST_F(IndexTest, FindsWhatWasAddedAlsoAfterReopening) {
  const auto records = records_of(0, 3000);
  const auto check = [&](const Index& index) {
    for (const IndexRecord& record : records) ASSERT_EQ(index.find(record.key), record);
    for (std::uint64_t i = 3000; i < 9000; ++i) ASSERT_FALSE(index.find(key_of(i)));
    EXPECT_TRUE(index.covers(transaction_of(5)));
    EXPECT_FALSE(index.covers(transaction_of(6)));
    EXPECT_TRUE(index.healthy());
  };
  {
    const auto index = open();
    ASSERT_TRUE(add(*index, records, 5));
    check(*index);
  }
  check(*open());
}

TEST_F(IndexTest, AgreesWithAMap) {
  std::mt19937_64 engine(42);
  std::map<IndexKey, IndexRecord> model;
  const IndexLimits limits{.bytes_max = kGiB, .run_records = 50};
  auto index = open(limits);
  std::uint32_t version = 0;
  for (int step = 0; step < 120; ++step) {
    const auto action = engine() % 10;
    if (action < 6) {
      std::vector<IndexRecord> records;
      const std::uint64_t count = engine() % 200;
      for (std::uint64_t i = 0; i < count; ++i) {
        records.push_back(record_of(engine() % 2000, ++version));
        model[records.back().key] = records.back();
      }
      ASSERT_TRUE(add(*index, records, static_cast<std::uint32_t>(step)));
      ASSERT_TRUE(index->covers(transaction_of(static_cast<std::uint32_t>(step))));
    } else if (action < 8) {
      ASSERT_TRUE(index->merge(Index::Merge::due));
      ASSERT_LT(index->usage().segments, 16U);
    } else if (action < 9) {
      ASSERT_TRUE(index->merge(Index::Merge::all));
      ASSERT_LE(index->usage().segments, 1U);
      ASSERT_EQ(index->usage().records, model.size());
    } else {
      index = open(limits);
    }
    for (int i = 0; i < 50; ++i) {
      const IndexKey key = key_of(engine() % 2500);
      const auto expected = model.find(key);
      const auto found = index->find(key);
      ASSERT_EQ(found.has_value(), expected != model.end()) << step;
      if (found) {
        ASSERT_EQ(*found, expected->second) << step;
      }
    }
  }
  for (const auto& [key, record] : model) ASSERT_EQ(index->find(key), record);
  EXPECT_TRUE(index->healthy());
}

TEST_F(IndexTest, LastOfOneKeyWins) {
  const auto index = open(IndexLimits{.bytes_max = kGiB, .run_records = 4});
  std::vector<IndexRecord> records;
  for (std::uint32_t version = 0; version < 30; ++version) records.push_back(record_of(1, version));
  ASSERT_TRUE(add(*index, records, 0));
  EXPECT_EQ(index->find(key_of(1)), record_of(1, 29));
  EXPECT_EQ(index->usage().records, 1U);
  ASSERT_TRUE(add(*index, {record_of(1, 50)}, 1));
  ASSERT_TRUE(add(*index, {record_of(1, 40)}, 2));
  EXPECT_EQ(index->find(key_of(1)), record_of(1, 40));
  ASSERT_TRUE(index->merge(Index::Merge::all));
  EXPECT_EQ(index->find(key_of(1)), record_of(1, 40));
}

TEST_F(IndexTest, SortsMoreThanFitsIntoMemoryInSeveralPasses) {
  const auto index = open(IndexLimits{.bytes_max = kGiB, .run_records = 16});
  const auto records = records_of(0, 16 * 150 + 3);  // more runs than are kept before they become one
  ASSERT_TRUE(add(*index, records, 0));
  for (const IndexRecord& record : records) ASSERT_EQ(index->find(record.key), record);
  EXPECT_EQ(index->usage().segments, 1U);
  EXPECT_EQ(folder_.files("segment-").size(), 1U);
}

TEST_F(IndexTest, PartitionsMeetWithoutGaps) {
  for (const std::size_t count : {kPartitionKeys, kPartitionKeys + 1, 2 * kPartitionKeys - 1}) {
    const TemporaryFolder folder;
    const auto index = Index::open(folder.path(), cache_key(), {}, random_);
    std::vector<IndexRecord> records(count);
    std::mt19937_64 engine(count);
    for (IndexRecord& record : records) {
      store_key({engine(), engine()}, record.key.data());
      record.length = static_cast<std::uint32_t>(engine());
    }
    ASSERT_TRUE(index->add(records, {}));
    std::sort(records.begin(), records.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
    std::vector<IndexKey> keys;
    for (const IndexRecord& record : records) keys.push_back(record.key);
    const auto found = index->find_batch(keys);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < count; ++i) wrong += found[i] == records[i] ? 0U : 1U;
    EXPECT_EQ(wrong, 0U);
    EXPECT_EQ(index->usage().records, count);
    EXPECT_LT(static_cast<double>(index->usage().bytes_resident) / static_cast<double>(count), 1.3);
  }
}

// Uniform keys make it fast; it must be right with any.
TEST_F(IndexTest, TakesKeysThatAreNotUniform) {
  std::vector<IndexRecord> records;
  for (std::uint64_t i = 0; i < 2000; ++i) {
    IndexRecord record = record_of(i);
    store_key(i < 1000 ? KeyHalves{0, i} : KeyHalves{~std::uint64_t{0}, i}, record.key.data());
    records.push_back(record);
  }
  const auto index = open();
  ASSERT_TRUE(add(*index, records, 0));
  for (int round = 0; round < 2; ++round) {
    for (const IndexRecord& record : records) ASSERT_EQ(index->find(record.key), record);
    IndexKey other{};
    store_key({0, 5000}, other.data());
    EXPECT_FALSE(index->find(other));
    store_key({5, 5}, other.data());
    EXPECT_FALSE(index->find(other));
    ASSERT_TRUE(index->merge(Index::Merge::all));
  }
}

TEST_F(IndexTest, KeepsTheLargestValues) {
  IndexRecord record;
  record.key = key_of(1);
  record.address = {{{~std::uint64_t{0}, ~0U}, ~0U}, ~0U};
  record.offset = record.length = ~0U;
  const auto index = open();
  ASSERT_TRUE(index->add(std::array{record}, std::array{record.address.pack.transaction}));
  EXPECT_EQ(open()->find(record.key), record);
  EXPECT_TRUE(open()->covers(record.address.pack.transaction));
}

TEST_F(IndexTest, BatchFindsAsFindDoes) {
  const auto index = open();
  ASSERT_TRUE(add(*index, records_of(0, 1000), 0));
  ASSERT_TRUE(add(*index, records_of(500, 1000, 1), 1));
  std::vector<IndexKey> keys;
  for (std::uint64_t i = 0; i < 2000; ++i) keys.push_back(key_of(i));
  std::sort(keys.begin(), keys.end());
  const auto found = index->find_batch(keys);
  ASSERT_EQ(found.size(), keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) ASSERT_EQ(found[i], index->find(keys[i]));
}

TEST_F(IndexTest, MergeDropsRecordsOfPacksThatAreGone) {
  const auto index = open();
  ASSERT_TRUE(add(*index, records_of(0, 100, 1), 1));
  ASSERT_TRUE(add(*index, records_of(50, 100, 2), 2));
  const auto gone = [](const model::PackId& pack) { return pack.transaction == transaction_of(2); };
  ASSERT_TRUE(index->merge(Index::Merge::all, gone));
  // Where the newest is gone, an older one that lives is as good.
  for (std::uint64_t i = 0; i < 100; ++i) ASSERT_EQ(index->find(key_of(i)), record_of(i, 1));
  for (std::uint64_t i = 100; i < 150; ++i) ASSERT_FALSE(index->find(key_of(i)));
  EXPECT_TRUE(index->covers(transaction_of(1)));
  EXPECT_TRUE(index->covers(transaction_of(2)));

  ASSERT_TRUE(index->merge(Index::Merge::all, [](const model::PackId&) { return true; }));
  EXPECT_EQ(index->usage().segments, 0U);
  EXPECT_TRUE(open()->covers(transaction_of(2)));
  EXPECT_FALSE(open()->find(key_of(1)));
  EXPECT_TRUE(folder_.files("segment-").empty());
}

TEST_F(IndexTest, CoversTransactionsWithoutRecords) {
  ASSERT_TRUE(add(*open(), {}, 3));
  EXPECT_TRUE(open()->covers(transaction_of(3)));
  EXPECT_TRUE(folder_.files("segment-").empty());
}

TEST_F(IndexTest, DropsOldestBeyondItsSize) {
  auto index = open();
  ASSERT_TRUE(add(*index, records_of(0, 1000), 0));
  const std::uint64_t one = index->usage().bytes_disk;
  index = open(IndexLimits{.bytes_max = 3 * one + one / 2});
  for (std::uint32_t i = 1; i < 6; ++i) ASSERT_TRUE(add(*index, records_of(1000 * i, 1000), i));
  EXPECT_LE(index->usage().bytes_disk, 3 * one + one / 2);
  EXPECT_EQ(folder_.files("segment-").size(), index->usage().segments);
  EXPECT_FALSE(index->find(key_of(1)));
  EXPECT_EQ(index->find(key_of(5001)), record_of(5001));
  // Read again, they would only be dropped again.
  for (std::uint32_t i = 0; i < 6; ++i) EXPECT_TRUE(index->covers(transaction_of(i)));
  EXPECT_TRUE(index->healthy());
}

TEST_F(IndexTest, DueMergesKeepSegmentsFew) {
  const auto index = open();
  for (std::uint32_t i = 0; i < 100; ++i) {
    ASSERT_TRUE(add(*index, records_of(100 * i, 100), i));
    ASSERT_TRUE(index->merge(Index::Merge::due));
    ASSERT_LE(index->usage().segments, 14U);
  }
  for (std::uint64_t i = 0; i < 10'000; ++i) ASSERT_EQ(index->find(key_of(i)), record_of(i));
  for (std::uint32_t i = 0; i < 100; ++i) EXPECT_TRUE(index->covers(transaction_of(i)));
}

TEST_F(IndexTest, StoppedMergeAndAdditionLeaveAllAsItWas) {
  const auto index = open(IndexLimits{.bytes_max = kGiB, .run_records = 10});
  ASSERT_TRUE(add(*index, records_of(0, 100), 0));
  ASSERT_TRUE(add(*index, records_of(100, 100), 1));
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(index->merge(Index::Merge::all, {}, stop.get_token()));
  EXPECT_FALSE(index->add(records_of(200, 100), {}, stop.get_token()));
  EXPECT_TRUE(index->healthy());
  EXPECT_EQ(index->usage().segments, 2U);
  EXPECT_EQ(folder_.files("segment-").size(), 2U);
  EXPECT_EQ(index->find(key_of(150)), record_of(150));
  EXPECT_FALSE(index->find(key_of(250)));
}

TEST_F(IndexTest, AdditionWithoutCommitLeavesNothing) {
  const auto index = open(IndexLimits{.bytes_max = kGiB, .run_records = 10});
  {
    auto addition = index->addition();
    for (const IndexRecord& record : records_of(0, 100)) addition.put(record);
  }
  EXPECT_FALSE(index->find(key_of(1)));
  EXPECT_TRUE(folder_.files("segment-").empty());
}

}  // namespace
}  // namespace holdfast::repo
