// The doctor's lines: silent on what is well, and one for each thing that is not.
#include "flow/doctor.h"

#include "repo/transaction.h"
#include "storage/memory.h"
#include "tests/support/backup_world.h"
#include "tests/support/passing_storage.h"

namespace holdfast::flow {

namespace {

using testing::BackupWorld;
using testing::FileSet;
using testing::names;

// Breaks the contract in one way.
class BadStore final : public testing::PassingStorage {
 public:
  enum class Way { good, overwrites, forgets, lies, cuts_listing, keeps, read_only };
  BadStore(storage::Storage& inner, Way way) : PassingStorage(inner), inner_(inner), way_(way) {}
  Result<void> put(const std::string& name, Bytes bytes, std::stop_token stop) override {
    if (way_ == Way::read_only) return Error(Errc::denied, "no");
    if (way_ == Way::overwrites && inner_.stat(name, stop).ok()) return {};
    if (way_ == Way::forgets) return {};
    return PassingStorage::put(name, bytes, stop);
  }
  Result<Buffer> get(const std::string& name, storage::ByteRange range, std::stop_token stop) override {
    Buffer bytes = TRY(PassingStorage::get(name, range, stop));
    if (way_ == Way::lies) bytes.front() ^= 1;
    return bytes;
  }
  Result<void> list(std::string_view prefix, const storage::Visit& visit, std::stop_token stop) override {
    return way_ == Way::cuts_listing ? Result<void>() : PassingStorage::list(prefix, visit, stop);
  }
  Result<void> remove(const std::string& name, std::stop_token stop) override {
    return way_ == Way::keeps ? Result<void>() : PassingStorage::remove(name, stop);
  }

 private:
  storage::Storage& inner_;
  const Way way_;
};

Health worst(const Diagnoses& diagnoses) {
  Health out = Health::ok;
  for (const Diagnosis& d : diagnoses) {
    out = std::max(out, d.health);
    EXPECT_EQ(d.health == Health::ok, d.advice.empty()) << d.text;
  }
  return out;
}
Health health_of(const Diagnoses& diagnoses, std::string_view topic) {
  Health out = Health::ok;
  for (const Diagnosis& d : diagnoses) {
    if (d.topic == topic) out = std::max(out, d.health);
  }
  return out;
}

class Doctor : public ::testing::Test {
 protected:
  Doctor() : storage_(storage::open_memory()), world_(*storage_, 1) {
    EXPECT_TRUE(world_.create().ok());
    FileSet files;
    files.file("f", "x");
    EXPECT_TRUE(world_.backup(files).ok());
  }
  Diagnoses examine(bool with_ledger = true) {
    const auto repository = std::move(world_.open()).value();
    const auto local = repo::LocalState::open(world_.cache(), *repository);
    repo::Ledger ledger = repo::Ledger::open(*local, world_.random(), world_.clock());
    const repo::History history = repository->readable_history({}).value();
    return examine_repository(*repository, history, with_ledger ? &ledger : nullptr, {});
  }

  std::unique_ptr<storage::Storage> storage_;
  BackupWorld world_;
};

}  // namespace

TEST_F(Doctor, TellsEveryStoreThatBreaksItsWord) {
  using Way = BadStore::Way;
  for (const Way way :
       {Way::good, Way::overwrites, Way::forgets, Way::lies, Way::cuts_listing, Way::keeps, Way::read_only}) {
    const auto inner = storage::open_memory();
    BadStore store(*inner, way);
    std::string there;
    const Diagnoses out =
        examine_store(store, world_.random(), [&](const std::string& name) { there = name; }, {});
    EXPECT_EQ(worst(out), way == Way::good ? Health::ok : Health::bad) << static_cast<int>(way);
    EXPECT_EQ(there.empty(), way == Way::read_only);
    EXPECT_EQ(names(*inner, "").empty(), way != Way::keeps);  // nothing is left behind
  }
}

TEST_F(Doctor, FindsWhatWillBeTrouble) {
  Diagnoses out = examine();
  EXPECT_EQ(health_of(out, "clock"), Health::ok);
  EXPECT_EQ(health_of(out, "transactions"), Health::ok);
  EXPECT_EQ(health_of(out, "keys"), Health::warn);    // one password
  EXPECT_EQ(health_of(out, "checks"), Health::warn);  // none yet
  {
    const auto repository = std::move(world_.open()).value();
    ASSERT_TRUE(repository->add_key(as_bytes("other"), "second", {1, 8}, {}).ok());
    const auto local = repo::LocalState::open(world_.cache(), *repository);
    repo::Ledger ledger = repo::Ledger::open(*local, world_.random(), world_.clock());
    ledger.verified({{{1, 1}, 0}, 0}, repository->now().seconds);
    ASSERT_TRUE(ledger.save());
    // Begun and left behind.
    ASSERT_TRUE(repo::Transaction::open(*repository, *local, {}, {}).ok());
  }
  out = examine();
  EXPECT_EQ(worst(out), Health::ok);
  world_.clock().advance_ns(std::int64_t{40} * 24 * 3600 * 1'000'000'000);
  out = examine();
  EXPECT_EQ(health_of(out, "transactions"), Health::warn);
  EXPECT_EQ(health_of(out, "checks"), Health::warn);
  EXPECT_EQ(health_of(examine(false), "checks"), Health::warn);
  world_.clock().advance_ns(std::int64_t{-50} * 24 * 3600 * 1'000'000'000);
  EXPECT_EQ(health_of(examine(), "clock"), Health::bad);
}

TEST_F(Doctor, FindsUnreadableSnapshotsAndLog) {
  for (const std::string& name : names(*storage_, "t/")) {
    if (!name.ends_with("/fate")) continue;
    ASSERT_TRUE(storage_->remove(name, {}).ok());
    ASSERT_TRUE(storage_->put(name, as_bytes("garbage"), {}).ok());
  }
  EXPECT_EQ(health_of(examine(), "snapshots"), Health::bad);
  ASSERT_TRUE(storage_->put("log/0000000000000003", as_bytes("garbage"), {}).ok());
  EXPECT_EQ(health_of(examine(), "log"), Health::bad);
}

TEST_F(Doctor, SpaceIsJudgedByWhatRunsTake) {
  const auto repository = std::move(world_.open()).value();
  repo::History history = std::move(repository->history({})).value();
  history.commits.back().commit.statistics = {{"data_added_packed", 100}};
  EXPECT_EQ(judge_space(50, history).health, Health::bad);
  EXPECT_EQ(judge_space(500, history).health, Health::warn);
  EXPECT_EQ(judge_space(5000, history).health, Health::ok);
}

TEST_F(Doctor, TellsWhatThisMachineSawAndIsNoMore) {
  const auto repository = std::move(world_.open()).value();
  repository->remember_in(world_.cache());
  const auto diagnose = [&] {
    const auto history = repository->readable_history({});
    EXPECT_TRUE(history.ok());
    return examine_repository(*repository, history.value(), nullptr, {});
  };
  const auto says_all_readable = [](const Diagnoses& out) {
    return std::any_of(out.begin(), out.end(), [](const Diagnosis& d) {
      return d.topic == "snapshots" && d.text.find("all readable") != std::string::npos;
    });
  };
  Diagnoses out = diagnose();
  EXPECT_EQ(health_of(out, "history"), Health::ok);
  EXPECT_TRUE(says_all_readable(out));
  // A commit that is lost, and a store that was put back, look alike: both are told.
  for (const std::string& name : names(*storage_, "t/")) {
    if (!name.ends_with("/fate")) continue;
    ASSERT_TRUE(storage_->remove(name, {}).ok());
  }
  out = diagnose();
  EXPECT_EQ(health_of(out, "history"), Health::bad);
  EXPECT_FALSE(says_all_readable(out));
}

TEST_F(Doctor, TellsKeySlotsThatCanNotBeRead) {
  const auto repository = std::move(world_.open()).value();
  const std::string other = repository->add_key(as_bytes("other"), "second", {1, 8}, {}).value();
  ASSERT_TRUE(storage_->remove(other, {}).ok());
  ASSERT_TRUE(storage_->put(other, as_bytes("garbage"), {}).ok());
  const Diagnoses out = examine();
  EXPECT_EQ(health_of(out, "keys"), Health::bad);
  EXPECT_EQ(std::count_if(out.begin(), out.end(), [](const auto& d) { return d.topic == "keys"; }), 2);
}

}  // namespace holdfast::flow
