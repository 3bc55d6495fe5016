#include "storage/retry.h"

#include "storage/memory.h"
#include "tests/support/fake_clock.h"
#include "tests/support/faulty_storage.h"
#include "tests/support/seeded_random.h"

namespace holdfast::storage {

namespace {

using testing::StorageFault;

class RetryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    storage_ =
        retrying(testing::faulty(open_memory(content_), faults_),
                 {.first_delay_ns = 1000, .delay_max_ns = 8000, .budget_ns = 100'000}, clock_, random_);
  }
  std::unique_ptr<Storage> other() { return open_memory(content_); }

  testing::FakeClock clock_;
  testing::SeededRandom random_{5};
  testing::FaultPlan faults_;
  std::shared_ptr<MemoryContent> content_ = std::make_shared<MemoryContent>();
  std::unique_ptr<Storage> storage_;
};

}  // namespace

TEST_F(RetryTest, APutWhoseAnswerWasLostSucceeds) {
  faults_.at(1, StorageFault::lost_after);
  EXPECT_TRUE(storage_->put("n", as_bytes("ours"), {}).ok());
  EXPECT_EQ(content_->objects.at("n")->size(), 4u);
}

TEST_F(RetryTest, APutLostBeforeAnotherClientsPutReportsExists) {
  for (const char* theirs : {"thei", "longer than ours"}) {
    content_->objects.clear();
    ASSERT_TRUE(other()->put("n", as_bytes(theirs), {}).ok());
    faults_.at(1, StorageFault::lost_before);
    const Result<void> result = storage_->put("n", as_bytes("ours"), {});
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().kind(), Errc::exists);
  }
}

TEST_F(RetryTest, ExistsWithoutDoubtIsExistsEvenForEqualBytes) {
  ASSERT_TRUE(other()->put("n", as_bytes("same"), {}).ok());
  const Result<void> result = storage_->put("n", as_bytes("same"), {});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().kind(), Errc::exists);
}

TEST_F(RetryTest, ALargeSpoolIsComparedToItsLastByte) {
  for (const bool same : {true, false}) {
    content_->objects.clear();
    Result<std::unique_ptr<Spool>> spool = storage_->spool();
    ASSERT_TRUE(spool.ok());
    Buffer bytes(2 * kMiB + 17, 'x');
    ASSERT_TRUE(spool.value()->append(bytes).ok());
    if (!same) {
      bytes.back() = 'y';
      ASSERT_TRUE(other()->put("n", bytes, {}).ok());
    }
    faults_.at(1, same ? StorageFault::lost_after : StorageFault::lost_before);
    EXPECT_EQ(storage_->put("n", *spool.value(), {}).ok(), same);
  }
}

TEST_F(RetryTest, WaitsLongerAndLongerUntilTheBudgetIsSpent) {
  faults_.at_random(1, 1, {StorageFault::lost_before});
  const Result<Buffer> result = storage_->get("n", {}, {});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().kind(), Errc::unreachable);
  EXPECT_LE(clock_.ticks_ns(), 100'000);
  EXPECT_GE(clock_.ticks_ns(), 50'000);
  // Delays average half of 1000, 2000, 4000, then 8000: without growth there would be about 200 tries.
  EXPECT_GT(faults_.operations(), 10u);
  EXPECT_LT(faults_.operations(), 60u);
}

TEST_F(RetryTest, FinalErrorsAreNotTriedAgain) {
  faults_.at(1, StorageFault::refused);
  EXPECT_FALSE(storage_->barrier({}).ok());
  EXPECT_EQ(storage_->get("missing", {}, {}).error().kind(), Errc::not_found);
  EXPECT_EQ(faults_.operations(), 2u);
  EXPECT_EQ(clock_.ticks_ns(), 0);
}

TEST_F(RetryTest, AListBrokenOffVisitsEachObjectOnce) {
  for (int i = 0; i < 9; ++i) ASSERT_TRUE(other()->put(fmt::format("l/{}", i), {}, {}).ok());
  faults_.at(1, StorageFault::lost_after);
  faults_.at(2, StorageFault::lost_before);
  std::multiset<std::string> visited;
  const Result<void> result = storage_->list("l/",
                                             [&](const ObjectInfo& object) -> Result<void> {
                                               visited.insert(object.name);
                                               return {};
                                             },
                                             {});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(visited.size(), 9u);
  EXPECT_EQ(std::set<std::string>(visited.begin(), visited.end()).size(), 9u);
}

TEST_F(RetryTest, AVisitorsErrorIsNotTriedAgain) {
  ASSERT_TRUE(other()->put("l", {}, {}).ok());
  int visits = 0;
  const Result<void> result = storage_->list("",
                                             [&](const ObjectInfo&) -> Result<void> {
                                               ++visits;
                                               return Error(Errc::unreachable, "another store");
                                             },
                                             {});
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(visits, 1);
  EXPECT_EQ(faults_.operations(), 1u);
}

}  // namespace holdfast::storage
