// Prune, step by step: what it plans, what it leaves, what it refuses.
#include "flow/prune.h"
#include "flow/maintain.h"
#include "parity/checksum.h"
#include "repo/transaction.h"
#include "tests/model/gc_world.h"
#include "tests/support/scratch_dir.h"

namespace holdfast::testing {
namespace {

constexpr std::size_t kLarge = 150 * 1000;  // one chunk of its own

class PruneTest : public ::testing::Test {
 protected:
  model::TransactionId backed_up(const Files& files, const std::string& tag) {
    const auto report = here.back_up(files, tag).value();
    expected[tag] = files;
    return report.snapshot->commit.transaction;
  }
  void forget(const model::TransactionId& id, const std::string& tag) {
    flow::forget(*here.repository, {id}, {}).value();
    expected.erase(tag);
  }
  void expect_all_there() {
    Machine other(world, world.open(), "");
    const auto restored = other.restore_all();
    ASSERT_TRUE(restored.ok()) << restored.error().text();
    EXPECT_TRUE(restored.value() == expected);
  }

  World world{1};
  ScratchDir cache;
  Machine here{world, world.open(), cache.path()};
  std::map<std::string, Files> expected;
};

TEST_F(PruneTest, NothingToDoWhereAllIsLive) {
  backed_up({{"a", noise(1, kLarge)}, {"b", "small"}}, "one");
  const auto plan = flow::plan_prune(*here.repository, thorough(), {}).value();
  EXPECT_TRUE(plan.nothing_to_do());
  EXPECT_EQ(plan.bytes_live, plan.bytes_total);
  EXPECT_TRUE(plan.missing.empty());
  const std::size_t before = world.names("").size();
  const auto report = here.prune(thorough()).value();
  EXPECT_EQ(report.objects_removed, 0u);
  EXPECT_EQ(world.names("").size(), before);
}

TEST_F(PruneTest, RemovesAForgottenSnapshotAltogether) {
  const auto first = backed_up({{"a", noise(1, kLarge)}}, "one");
  backed_up({{"a", noise(2, kLarge)}}, "two");
  forget(first, "one");
  const auto report = here.prune(thorough()).value();
  EXPECT_EQ(report.deleted_transactions, 1u);
  EXPECT_FALSE(report.partial());
  EXPECT_TRUE(world.names(repo::transaction_name(first, "")).empty());
  EXPECT_GT(report.bytes_freed(), kLarge);
  expect_all_there();
  EXPECT_TRUE(flow::plan_prune(*here.repository, thorough(), {}).value().nothing_to_do());
}

TEST_F(PruneTest, CopiesWhatIsLiveOfAPackOutOfIt) {
  Files files;
  for (std::uint64_t i = 0; i < 40; ++i) files["f" + std::to_string(i)] = noise(i, kLarge);
  const auto first = backed_up(files, "one");
  const Files few{{"f3", files["f3"]}, {"f4", files["f4"]}, {"f17", files["f17"]}};
  backed_up(few, "two");
  forget(first, "one");
  const auto plan = flow::plan_prune(*here.repository, thorough(), {}).value();
  EXPECT_GT(plan.bytes_to_copy, 3 * kLarge);
  EXPECT_LT(plan.bytes_to_copy, 9 * kLarge);
  const auto report = here.prune(thorough()).value();
  EXPECT_GE(report.relocated_packs, 1u);
  EXPECT_EQ(report.bytes_copied, plan.bytes_to_copy);
  EXPECT_EQ(report.bytes_freed(), plan.bytes_freed);
  expect_all_there();
  const auto after = flow::plan_prune(*here.repository, thorough(), {}).value();
  EXPECT_TRUE(after.nothing_to_do());
  EXPECT_EQ(after.bytes_total, plan.bytes_total - plan.bytes_freed);
}

// Moved a second time: frames are taken from a relocated pack.
TEST_F(PruneTest, CopiesAgainOutOfACopy) {
  Files files;
  for (std::uint64_t i = 0; i < 30; ++i) files["f" + std::to_string(i)] = noise(i, kLarge);
  auto last = backed_up(files, "all");
  for (const std::size_t left : {20u, 9u, 2u}) {
    while (files.size() > left) files.erase(std::next(files.begin(), static_cast<long>(files.size() / 2)));
    const std::string tag = std::to_string(left);
    const auto next = backed_up(files, tag);
    forget(last,
           expected.begin()->first == tag ? std::next(expected.begin())->first : expected.begin()->first);
    EXPECT_GE(here.prune(thorough()).value().relocated_packs, 1u);
    expect_all_there();
    last = next;
  }
}

TEST_F(PruneTest, LeavesALittleUnusedByDefault) {
  Files files;
  for (std::uint64_t i = 0; i < 40; ++i) files["f" + std::to_string(i)] = noise(i, kLarge);
  const auto first = backed_up(files, "one");
  files.erase("f7");
  backed_up(files, "two");
  forget(first, "one");
  flow::PruneOptions options = thorough();
  options.max_unused_percent = 5;
  const auto report = here.prune(options).value();
  EXPECT_EQ(report.bytes_copied, 0u);
  EXPECT_GT(report.plan.bytes_unused, 0u);
  EXPECT_LE(static_cast<double>(report.plan.bytes_unused),
            0.05 * static_cast<double>(report.plan.bytes_live));
  expect_all_there();
}

TEST_F(PruneTest, CopiesNothingWhereOnlyDeadPacksAreToGo) {
  Files files;
  for (std::uint64_t i = 0; i < 40; ++i) files["f" + std::to_string(i)] = noise(i, kLarge);
  const auto first = backed_up(files, "one");
  backed_up({{"f3", files["f3"]}}, "two");
  forget(first, "one");
  flow::PruneOptions options = thorough();
  options.dead_packs_only = true;
  const auto report = here.prune(options).value();
  EXPECT_EQ(report.bytes_copied, 0u);
  EXPECT_GE(report.deleted_packs, 1u);  // the tree of the first
  EXPECT_GT(report.plan.bytes_unused, 30 * kLarge);
  expect_all_there();
}

TEST_F(PruneTest, AbortsWhatBeganLongAgoAndRemovesIt) {
  backed_up({{"a", noise(1, kLarge)}}, "one");
  auto crashed = repo::Transaction::open(*here.repository, *here.local, {}, {}).value();
  {
    repo::ChunkWriter chunks(*crashed, false);
    const std::string data = noise(9, kLarge);
    chunks
        .put({{},
              model::ChunkType::data,
              repo::Codec::raw,
              static_cast<std::uint32_t>(data.size()),
              as_bytes(data),
              parity::checksum(as_bytes(data))},
             {})
        .value();
    chunks.finish({}).value();
  }
  flow::PruneOptions options = thorough();
  options.abort_open_after_s = 3600;
  EXPECT_EQ(flow::plan_prune(*here.repository, options, {}).value().running.size(), 1u);
  world.clock.advance_ns(3600 * 1'000'000'000LL);
  const auto report = here.prune(options).value();
  EXPECT_EQ(report.aborted, std::vector{crashed->id()});
  EXPECT_EQ(report.deleted_transactions, 1u);
  EXPECT_GT(report.bytes_freed(), kLarge);
  expect_all_there();
  const auto late = crashed->commit({}, {}, nullptr, {});
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().kind(), Errc::conflict);
}

// Its packs are all that is left of a transaction whose `open` was lost.
TEST_F(PruneTest, RemovesPacksOfNobody) {
  auto lost = repo::Transaction::open(*here.repository, *here.local, {}, {}).value();
  repo::ChunkWriter chunks(*lost, false);
  const std::string data = noise(9, kLarge);
  chunks
      .put({{},
            model::ChunkType::data,
            repo::Codec::raw,
            static_cast<std::uint32_t>(data.size()),
            as_bytes(data),
            parity::checksum(as_bytes(data))},
           {})
      .value();
  chunks.finish({}).value();
  world.plain->remove(repo::transaction_name(lost->id(), "open"), {}).value();
  flow::PruneOptions options = thorough();
  options.abort_open_after_s = 3600;
  EXPECT_EQ(here.prune(options).value().deleted_transactions, 1u);
  EXPECT_TRUE(world.names("d/").empty());
  EXPECT_TRUE(world.names("t/").empty());
}

TEST_F(PruneTest, WaitsForTheRunningAndGoesOnNextTime) {
  const auto first = backed_up({{"a", noise(1, kLarge)}}, "one");
  backed_up({{"a", noise(2, kLarge)}}, "two");
  auto running = repo::Transaction::open(*here.repository, *here.local, {}, {}).value();
  forget(first, "one");
  flow::PruneOptions options = thorough();
  options.abort_open_after_s = 3600;
  options.wait_ms = 3000;
  const auto waited = here.prune(options).value();
  EXPECT_EQ(waited.blocked_by, std::vector{running->id()});
  EXPECT_TRUE(waited.partial());
  EXPECT_EQ(waited.objects_removed, 0u);
  repo::abort_transaction(*here.repository, running->id(), "test", {}).value();
  const std::size_t entries = world.names("log/").size();
  const auto report = here.prune(options).value();
  EXPECT_EQ(report.deleted_transactions, 2u);
  EXPECT_TRUE(report.plan.steps[0].condemned_by.has_value());
  EXPECT_LE(world.names("log/").size(), entries + 3);  // CONDEMN of the aborted one, two DELETEs
  expect_all_there();
}

TEST_F(PruneTest, UnforgetsWhatIsCondemnedButNotWhatIsDeleted) {
  const auto first = backed_up({{"a", noise(1, kLarge)}}, "one");
  const auto second = backed_up({{"a", noise(2, kLarge)}}, "two");
  auto running = repo::Transaction::open(*here.repository, *here.local, {}, {}).value();
  forget(first, "one");
  flow::PruneOptions options = thorough();
  options.abort_open_after_s = 3600;
  EXPECT_FALSE(here.prune(options).value().blocked_by.empty());
  flow::unforget(*here.repository, {first}, {}).value();
  expected["one"] = {{"a", noise(1, kLarge)}};
  const auto report = here.prune(thorough()).value();
  EXPECT_EQ(report.lifted, 1u);
  expect_all_there();
  flow::forget(*here.repository, {first, second}, {}).value();
  here.prune(thorough()).value();
  const auto late = flow::unforget(*here.repository, {first}, {});
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().kind(), Errc::not_found);
}

TEST_F(PruneTest, UnforgetRefusesWhereASlotWasMovedAwayFrom) {
  Files files;
  for (std::uint64_t i = 0; i < 20; ++i) files["f" + std::to_string(i)] = noise(i, kLarge);
  const auto all = backed_up(files, "all");
  const auto few = backed_up({{"f3", files["f3"]}}, "few");
  const auto other = backed_up({{"f3", files["f3"]}, {"f5", files["f5"]}}, "other");
  flow::forget(*here.repository, {all, other}, {}).value();
  // Only what `few` needs is left; of `all`, nothing but the transaction itself, as that owns the pack.
  here.prune(thorough()).value();
  for (const auto& gone : {all, other}) EXPECT_FALSE(flow::unforget(*here.repository, {gone}, {}).ok());
  EXPECT_TRUE(flow::unforget(*here.repository, {few}, {}).ok());
}

TEST_F(PruneTest, RefusesWhileAnythingNeededIsUnreadable) {
  const auto first = backed_up({{"a", noise(1, kLarge)}, {"b", noise(2, kLarge)}}, "one");
  const auto second = backed_up({{"a", noise(1, kLarge)}}, "two");
  forget(first, "one");
  flow::forget(*here.repository, {backed_up({{"c", "c"}}, "three")}, {}).value();
  expected.erase("three");
  const std::vector<std::string> vital = {repo::transaction_name(second, "fate"),
                                          repo::transaction_name(second, "refs"),
                                          repo::transaction_name(first, "man"), repo::log_name(0)};
  for (const std::string& name : vital) {
    const auto good = world.content->objects.at(name);
    for (const bool removed : {false, true}) {
      if (removed) {
        world.content->objects.erase(name);
      } else {
        auto bad = std::make_shared<Buffer>(*good);
        for (std::uint8_t& byte : *bad) byte ^= 1;
        world.content->objects[name] = bad;
      }
      const std::size_t before = world.names("").size();
      const auto report = here.prune(thorough());
      ASSERT_FALSE(report.ok()) << name;
      EXPECT_EQ(report.error().kind(), Errc::damaged) << report.error().text();
      EXPECT_NE(report.error().text().find(name), std::string::npos) << report.error().text();
      EXPECT_EQ(world.names("").size(), before);
      world.content->objects[name] = good;
    }
  }
  here.prune(thorough()).value();
  expect_all_there();
}

}  // namespace
}  // namespace holdfast::testing
