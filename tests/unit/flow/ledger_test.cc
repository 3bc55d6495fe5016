// Checks that take notes: within a time the stalest first, nothing twice before everything once; what damage
// and interruption leave behind; and that losing the notes costs only time.
#include "repo/ledger.h"

#include <filesystem>
#include <fstream>

#include "flow/check.h"
#include "repo/pack_format.h"
#include "tests/support/on_memory.h"
#include "tests/support/passing_storage.h"

namespace holdfast::flow {

namespace {

using testing::BackupWorld;
using testing::FileSet;
using testing::names;
using testing::noise;

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::int64_t kDayNs = 24 * 60 * 60 * kSecondNs;

// Opening the end of a pack takes a second; notes which packs.
class SlowStore final : public testing::PassingStorage {
 public:
  SlowStore(storage::Storage& inner, testing::FakeClock& clock) : PassingStorage(inner), clock_(clock) {}
  Result<Buffer> get(const std::string& name, storage::ByteRange range, std::stop_token stop) override {
    const bool pack = name.starts_with("d/") || name.starts_with("m/");
    if (pack && (order.empty() || order.back() != name)) {
      order.push_back(name);
      clock_.advance_ns(kSecondNs);
      if (order.size() == stop_at) stopper.request_stop();
    }
    return PassingStorage::get(name, range, stop);
  }
  std::vector<std::string> order;
  std::size_t stop_at = 0;
  std::stop_source stopper;

 private:
  testing::FakeClock& clock_;
};

class Notes : public testing::OnMemory {
 protected:
  Notes() {
    FileSet files;
    for (int i = 0; i < 4; ++i) {
      files.file(fmt::format("f{}", i), noise(200'000, static_cast<std::uint64_t>(i)));
      EXPECT_TRUE(world_.backup(files).ok());
    }
    packs_ = names(*storage_, "d/");
    for (const std::string& name : names(*storage_, "m/")) packs_.push_back(name);
  }

  // A check of so many seconds, 0: without limit and of every byte. What it read is in `order_`.
  CheckReport run(std::int64_t seconds, std::size_t stop_at = 0) {
    SlowStore slow(*storage_, world_.clock());
    slow.stop_at = stop_at;
    const auto repository =
        std::move(repo::Repository::open({slow, world_.clock(), world_.random()}, as_bytes("secret"), {}))
            .value();
    const auto local = repo::LocalState::open(world_.cache(), *repository);
    repo::Ledger ledger = repo::Ledger::open(*local, world_.random(), world_.clock());
    CheckSpec spec;
    spec.level = CheckLevel::full;
    spec.workers = 1;
    spec.ledger = &ledger;
    spec.max_duration_ns = seconds * kSecondNs;
    SilentObserver silent;
    auto report = check(*repository, spec, silent, slow.stopper.get_token());
    EXPECT_EQ(report.ok(), stop_at == 0);
    order_ = slow.order;
    return report.ok() ? std::move(report).value() : CheckReport{};
  }
  std::string ledger_file() {
    const auto repository = std::move(world_.open()).value();
    return repo::LocalState::open(world_.cache(), *repository)->directory() + "/verified";
  }
  void replace(const std::string& name, std::shared_ptr<const Buffer> bytes) {
    content_->objects[name] = std::move(bytes);
  }

  std::vector<std::string> packs_, order_;
};

}  // namespace

TEST_F(Notes, ShortChecksOneAfterTheOtherReadEverythingOnce) {
  std::set<std::string> seen;
  std::uint64_t left = packs_.size();
  ASSERT_GE(left, 8u);
  while (left > 0) {
    const CheckReport report = run(3);
    ASSERT_TRUE(report.freshness.has_value());
    EXPECT_EQ(report.packs_read, 3u);
    const std::uint64_t fresh = std::min<std::uint64_t>(3, left);
    left -= fresh;
    EXPECT_EQ(report.freshness->never.packs, left);
    EXPECT_EQ(report.freshness->within_30_days.packs, packs_.size() - left);
    EXPECT_EQ(report.exit_code(), 0);
    for (std::size_t i = 0; i < fresh; ++i) EXPECT_TRUE(seen.insert(order_[i]).second) << order_[i];
    EXPECT_TRUE(report.out_of_time);
  }
  EXPECT_EQ(seen.size(), packs_.size());
  const CheckReport around = run(1);
  EXPECT_EQ(around.packs_read, 1u);
  EXPECT_TRUE(around.out_of_time);
  EXPECT_FALSE(around.trees_checked);
  const CheckReport all = run(3600);
  EXPECT_FALSE(all.out_of_time);
  EXPECT_TRUE(all.trees_checked);
  EXPECT_GT(all.entries, 0u);
}

TEST_F(Notes, TheStalestGoFirst) {
  run(3);
  const std::vector<std::string> first(order_.begin(), order_.begin() + 3);
  world_.clock().advance_ns(40 * kDayNs);
  run(static_cast<std::int64_t>(packs_.size()) - 3);
  world_.clock().advance_ns(60 * kDayNs);
  const CheckReport report = run(2);
  EXPECT_EQ(std::vector<std::string>(order_.begin(), order_.begin() + 2),
            std::vector<std::string>(first.begin(), first.begin() + 2));
  EXPECT_EQ(report.freshness->within_30_days.packs, 2u);
  EXPECT_EQ(report.freshness->from_30_to_90_days.packs, packs_.size() - 3);
  EXPECT_EQ(report.freshness->longer_ago.packs, 1u);
  EXPECT_EQ(report.freshness->never.packs, 0u);
}

TEST_F(Notes, WhatIsDamagedIsNotVerifiedAnyMore) {
  run(0);
  const auto whole = content_->objects.at(packs_.front());
  Buffer bytes = *whole;
  for (std::size_t at = repo::kPackHeaderBytes; at < bytes.size() - repo::kPackTrailerBytes; at += 1000)
    bytes[at] ^= 1;
  replace(packs_.front(), std::make_shared<const Buffer>(bytes));
  const CheckReport bad = run(0);
  EXPECT_EQ(bad.exit_code(), 13);
  EXPECT_EQ(bad.freshness->never.packs, 1u);
  replace(packs_.front(), whole);
  const CheckReport good = run(1);
  EXPECT_EQ(order_.front(), packs_.front());
  EXPECT_EQ(good.freshness->never.packs, 0u);
}

TEST_F(Notes, AStoppedCheckIsNotForNothing) {
  run(0, 4);
  const CheckReport report = run(1);
  EXPECT_EQ(report.freshness->never.packs, packs_.size() - 4);
}

TEST_F(Notes, LostOrSpoiledNotesCountAsNone) {
  run(0);
  EXPECT_EQ(run(1).freshness->never.packs, 0u);
  {
    std::fstream file(ledger_file(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(100);
    file.put('x');
  }
  EXPECT_EQ(run(1).freshness->never.packs, packs_.size() - 1);
  run(0);
  std::filesystem::remove(ledger_file());
  EXPECT_EQ(run(1).freshness->never.packs, packs_.size() - 1);
}

TEST_F(Notes, ATimeYetToComeIsNone) {
  world_.clock().advance_ns(400 * kDayNs);
  run(0);
  world_.clock().advance_ns(-400 * kDayNs);
  EXPECT_EQ(run(1).freshness->never.packs, packs_.size() - 1);
}

TEST_F(Notes, OfTwoThatSaveBothAreHeard) {
  const auto repository = std::move(world_.open()).value();
  const auto local = repo::LocalState::open(world_.cache(), *repository);
  repo::Ledger a = repo::Ledger::open(*local, world_.random(), world_.clock());
  repo::Ledger b = repo::Ledger::open(*local, world_.random(), world_.clock());
  const repo::PackObject one{{{1, 1}, 0}, 0}, two{{{1, 1}, 2}, 7};
  a.verified(one, 100);
  b.verified(two, 200);
  b.verified(one, 50);
  EXPECT_TRUE(a.save());
  EXPECT_TRUE(b.save());
  const repo::Ledger c = repo::Ledger::open(*local, world_.random(), world_.clock());
  EXPECT_EQ(c.verified_at(one), 100);
  EXPECT_EQ(c.verified_at(two), 200);
  b.forget(one);
  EXPECT_TRUE(b.save());
  EXPECT_EQ(repo::Ledger::open(*local, world_.random(), world_.clock()).verified_at(one), std::nullopt);
}

TEST_F(Notes, APackOfWrongSizeIsToldThoughTheTimeIsOver) {
  for (const std::string& name : packs_) {
    Buffer bytes = *content_->objects.at(name);
    bytes.resize(bytes.size() - 1);
    replace(name, std::make_shared<const Buffer>(std::move(bytes)));
  }
  const CheckReport report = run(2);
  EXPECT_EQ(report.packs_read, 2u);
  std::set<std::string> told;
  for (const Finding& finding : report.findings) {
    if (finding.severity == Severity::damaged) told.insert(finding.object);
  }
  EXPECT_EQ(told.size(), packs_.size() - 2);  // of those that were read nothing is lost
  EXPECT_EQ(report.exit_code(), 13);
}

}  // namespace holdfast::flow
