// The local store when power goes and disks fail: what was behind a barrier is there byte for byte,
// anything else is whole or absent, and no failed sync is ever followed by a barrier that succeeds.
#include <random>

#include "storage/local.h"
#include "tests/support/sim_disk.h"

namespace holdfast::storage {

namespace {

using testing::DiskFault;
using testing::SimDisk;

constexpr const char* kPath = "/srv/backups/store";

Buffer random_bytes(std::size_t count, std::mt19937_64& random) {
  Buffer out(count);
  for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(random());
  return out;
}

// A client that remembers what it put and what a barrier promised.
struct Ledger {
  std::map<std::string, Buffer> attempted;  // put was called, with whatever result
  std::set<std::string> acknowledged;       // put succeeded, no barrier yet
  std::set<std::string> durable;
};

// One random step; false once the store answers with an error.
bool step(Storage& storage, Ledger& ledger, std::mt19937_64& random) {
  if (random() % 5 == 0) {
    if (!storage.barrier({}).ok()) return false;
    ledger.durable.merge(ledger.acknowledged);
    ledger.acknowledged.clear();
    return true;
  }
  const std::string name =
      fmt::format("{}/{:02}/{}", random() % 2 ? "d" : "t/a", random() % 4, random() % 1000000);
  if (ledger.attempted.contains(name)) return true;
  const Buffer bytes = random_bytes(random() % 3000, random);
  ledger.attempted[name] = bytes;
  if (random() % 2 == 0) {
    if (!storage.put(name, bytes, {}).ok()) return false;
  } else {
    Result<std::unique_ptr<Spool>> spool = storage.spool();
    if (!spool.ok()) return false;
    for (std::size_t at = 0; at < bytes.size(); at += 700) {
      if (!spool.value()
               ->append(Bytes(bytes).subspan(at, std::min<std::size_t>(700, bytes.size() - at)))
               .ok()) {
        return false;
      }
    }
    if (!storage.put(name, *spool.value(), {}).ok()) return false;
  }
  ledger.acknowledged.insert(name);
  return true;
}

std::unique_ptr<Storage> reopen(SimDisk& disk, IfMissing if_missing) {
  Result<std::unique_ptr<Storage>> storage = open_local(disk, kPath, if_missing);
  EXPECT_TRUE(storage.ok()) << storage.error().text();
  return storage.ok() ? std::move(storage).value() : nullptr;
}

void check(Storage& storage, const Ledger& ledger, const std::set<std::string>& must_be_there) {
  std::set<std::string> there;
  const Result<void> listed = storage.list("",
                                           [&](const ObjectInfo& object) -> Result<void> {
                                             EXPECT_TRUE(there.insert(object.name).second);
                                             return {};
                                           },
                                           {});
  ASSERT_TRUE(listed.ok()) << listed.error().text();
  for (const std::string& name : must_be_there) EXPECT_TRUE(there.contains(name)) << name << " is lost";
  for (const std::string& name : there) {
    const auto written = ledger.attempted.find(name);
    ASSERT_NE(written, ledger.attempted.end()) << name;
    const Result<Buffer> bytes = storage.get(name, {}, {});
    ASSERT_TRUE(bytes.ok()) << bytes.error().text();
    EXPECT_EQ(bytes.value(), written->second) << name << " is torn";
  }
}

}  // namespace

TEST(LocalCrash, BarrieredObjectsSurviveAndNoObjectIsTorn) {
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    SimDisk disk;
    Ledger ledger;
    ASSERT_NE(reopen(disk, IfMissing::create), nullptr);
    for (int life = 0; life < 3; ++life) {
      const std::unique_ptr<Storage> storage = reopen(disk, IfMissing::fail);
      ASSERT_NE(storage, nullptr);
      check(*storage, ledger, ledger.durable);
      if (HasFailure()) return;
      ledger.acknowledged.clear();
      disk.fault_at(1 + random() % 200, DiskFault::power_loss);
      while (step(*storage, ledger, random)) {
      }
      disk.crash(random());
    }
  }
}

TEST(LocalCrash, ABarrierCoversWhatSomebodyElsePutIfAsked) {
  std::size_t lost = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SimDisk disk;
    const std::unique_ptr<Storage> maker = reopen(disk, IfMissing::create);
    const std::unique_ptr<Storage> user = reopen(disk, IfMissing::fail);
    ASSERT_TRUE(maker->put("d/00/theirs", as_bytes("x"), {}).ok());
    ASSERT_TRUE(maker->put("e/11/theirs", as_bytes("x"), {}).ok());
    ASSERT_TRUE(user->cover("d/00/theirs", {}).ok());
    EXPECT_EQ(user->cover("d/00/nobodys", {}).error().kind(), Errc::not_found);
    ASSERT_TRUE(user->barrier({}).ok());
    disk.crash(seed);
    const std::unique_ptr<Storage> after = reopen(disk, IfMissing::fail);
    EXPECT_TRUE(after->stat("d/00/theirs", {}).ok()) << seed;
    lost += after->stat("e/11/theirs", {}).ok() ? 0 : 1;
  }
  EXPECT_GT(lost, 0u) << "nothing is lost here anyway";
}

TEST(LocalCrash, ABarrierCoversDirectoriesThatAnotherClientMade) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SimDisk disk;
    const std::unique_ptr<Storage> maker = reopen(disk, IfMissing::create);
    const std::unique_ptr<Storage> user = reopen(disk, IfMissing::fail);
    ASSERT_TRUE(maker->put("d/00/made", as_bytes("x"), {}).ok());
    ASSERT_TRUE(maker->put("e/11/theirs", as_bytes("x"), {}).ok());
    ASSERT_TRUE(user->put("d/00/ours", as_bytes("y"), {}).ok());
    // What is answered `exists` is built upon, so it counts as ours.
    ASSERT_FALSE(user->put("e/11/theirs", as_bytes("z"), {}).ok());
    ASSERT_TRUE(user->barrier({}).ok());
    disk.crash(seed);
    const std::unique_ptr<Storage> after = reopen(disk, IfMissing::fail);
    EXPECT_TRUE(after->stat("d/00/ours", {}).ok());
    EXPECT_TRUE(after->stat("e/11/theirs", {}).ok());
  }
}

// A fault at the first operation, at the second, … until the work gets through untouched.
class LocalFault : public ::testing::TestWithParam<std::tuple<DiskFault, bool>> {};

TEST_P(LocalFault, AtEveryOperationIsReportedAndTearsNothing) {
  const auto [fault, lasting] = GetParam();
  for (std::uint64_t n = 1;; ++n) {
    SCOPED_TRACE(n);
    SimDisk disk;
    const std::unique_ptr<Storage> storage = reopen(disk, IfMissing::create);
    std::mt19937_64 random(n);
    Ledger ledger;
    const std::uint64_t before = disk.operations();
    disk.fault_at(n, fault, lasting);
    int failures = 0;
    // A client that goes on after errors: what then succeeds must hold as ever.
    for (int i = 0; i < 25; ++i) failures += step(*storage, ledger, random) ? 0 : 1;
    const bool reached = disk.operations() - before >= n;
    const bool at_end = storage->barrier({}).ok();
    if (at_end) ledger.durable.merge(ledger.acknowledged);
    if (fault == DiskFault::short_io) {
      EXPECT_EQ(failures, 0);
    }
    disk.crash(n);
    check(*reopen(disk, IfMissing::fail), ledger, ledger.durable);
    if (HasFailure() || !reached) break;
  }
}

INSTANTIATE_TEST_SUITE_P(Faults, LocalFault,
                         ::testing::Combine(::testing::Values(DiskFault::io_error, DiskFault::no_space,
                                                              DiskFault::short_io, DiskFault::power_loss),
                                            ::testing::Bool()));

TEST(LocalFault, AFailedSyncIsFinal) {
  // Which of the operations of a put and a barrier are syncs shows in that nothing succeeds any more.
  int finals = 0;
  for (std::uint64_t n = 1; n <= 12; ++n) {
    SimDisk disk;
    const std::unique_ptr<Storage> storage = reopen(disk, IfMissing::create);
    disk.fault_at(n, DiskFault::io_error);
    const bool put = storage->put("a/b", as_bytes("bytes"), {}).ok();
    const bool barrier = storage->barrier({}).ok();
    disk.clear_faults();
    const bool put_again = storage->put("c/d", as_bytes("bytes"), {}).ok();
    const bool barrier_again = storage->barrier({}).ok();
    EXPECT_EQ(put_again, barrier_again);
    EXPECT_EQ(put_again, barrier) << "a failed barrier is the last";
    if (!barrier) ++finals;
    if (put && barrier) break;
  }
  EXPECT_GE(finals, 4);  // the file before its name, the file after, and the directories above
}

// Another client made the object and never came to its barrier. Ours covers it, whatever fails on the way.
TEST(LocalFault, WhatIsAnsweredExistsIsDurableAfterTheBarrierOrAnError) {
  bool reached = true;
  for (std::uint64_t n = 1; reached; ++n) {
    for (std::uint64_t seed = 0; seed < 12; ++seed) {
      SCOPED_TRACE(fmt::format("operation {}, seed {}", n, seed));
      SimDisk disk;
      const std::unique_ptr<Storage> maker = reopen(disk, IfMissing::create);
      const std::unique_ptr<Storage> user = reopen(disk, IfMissing::fail);
      ASSERT_TRUE(maker->put("e/11/theirs", as_bytes("x"), {}).ok());
      const std::uint64_t before = disk.operations();
      disk.fault_at(n, DiskFault::io_error);
      const auto put = user->put("e/11/theirs", as_bytes("x"), {});
      ASSERT_FALSE(put.ok());
      const bool promised = put.error().kind() == Errc::exists && user->barrier({}).ok();
      reached = disk.operations() - before >= n;
      disk.clear_faults();
      disk.crash(seed);
      const std::unique_ptr<Storage> after = reopen(disk, IfMissing::fail);
      EXPECT_TRUE(!promised || after->stat("e/11/theirs", {}).ok());
    }
  }
}

TEST(LocalCrash, AStoreInTheMakingIsThereOrNot) {
  for (std::uint64_t n = 1; n <= 12; ++n) {
    SimDisk disk;
    disk.fault_at(n, DiskFault::power_loss);
    const bool made = open_local(disk, kPath, IfMissing::create).ok();
    disk.crash(n);
    if (made) {
      EXPECT_TRUE(open_local(disk, kPath, IfMissing::fail).ok());
    }
    EXPECT_TRUE(open_local(disk, kPath, IfMissing::create).ok());
  }
}

}  // namespace holdfast::storage
