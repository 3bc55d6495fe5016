#include "storage/metrics.h"

#include "storage/memory.h"

namespace holdfast::storage {

TEST(Metrics, CountCallsErrorsAndBytesOfSuccess) {
  StorageMetrics metrics;
  const auto storage = metered(open_memory(), metrics);
  ASSERT_TRUE(storage->put("a", Buffer(10), {}).ok());
  ASSERT_FALSE(storage->put("a", Buffer(99), {}).ok());
  auto spool = storage->spool();
  ASSERT_TRUE(spool.ok() && spool.value()->append(Buffer(30)).ok());
  ASSERT_TRUE(storage->put("b", *spool.value(), {}).ok());
  ASSERT_TRUE(storage->get("a", {.offset = 3, .length = 5}, {}).ok());
  ASSERT_FALSE(storage->get("c", {}, {}).ok());
  ASSERT_TRUE(storage->barrier({}).ok());
  const StorageCounts counts = metrics.counts();
  EXPECT_EQ(counts.of(Operation::put).calls, 3u);
  EXPECT_EQ(counts.of(Operation::put).errors, 1u);
  EXPECT_EQ(counts.of(Operation::put).bytes, 40u);
  EXPECT_EQ(counts.of(Operation::get).calls, 2u);
  EXPECT_EQ(counts.of(Operation::get).errors, 1u);
  EXPECT_EQ(counts.of(Operation::get).bytes, 5u);
  EXPECT_EQ(counts.of(Operation::barrier).calls, 1u);
  EXPECT_EQ(counts.of(Operation::list).calls, 0u);
}

}  // namespace holdfast::storage
