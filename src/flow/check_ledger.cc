#include "flow/check_ledger.h"

#include <algorithm>
#include <limits>

namespace holdfast::flow {

namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::int64_t kSaveEveryNs = 60 * kSecondNs;
constexpr std::int64_t kDayS = 24 * 60 * 60;

}  // namespace

void order_by_staleness(std::vector<PackPlan>& packs, const repo::Ledger& ledger) {
  const auto when = [&](const PackPlan& plan) {
    return ledger.verified_at(plan.object).value_or(std::numeric_limits<std::int64_t>::min());
  };
  std::stable_sort(packs.begin(), packs.end(),
                   [&](const PackPlan& a, const PackPlan& b) { return when(a) < when(b); });
}

Freshness freshness_of(const std::vector<PackPlan>& packs, const repo::Ledger& ledger, std::int64_t now_s) {
  Freshness fresh;
  for (const PackPlan& plan : packs) {
    const auto at = ledger.verified_at(plan.object);
    const std::int64_t days = at ? (now_s - *at) / kDayS : 0;
    Freshness::Amount& amount = !at         ? fresh.never
                                : days < 30 ? fresh.within_30_days
                                : days < 90 ? fresh.from_30_to_90_days
                                            : fresh.longer_ago;
    ++amount.packs;
    amount.bytes += plan.object_bytes;
  }
  return fresh;
}

void PackNotes::read(std::size_t i) {
  if (ledger_ == nullptr) return;
  read_.emplace_back(i, clock_.now_ns() / kSecondNs);
  if (clock_.ticks_ns() - saved_ns_ >= kSaveEveryNs) write_down();
}

void PackNotes::write_down() {
  const std::set<std::string> damaged = findings_.damaged_objects();
  const auto is_damaged = [&](const PackPlan& plan) {
    return damaged.contains(repo::pack_name(plan.object.id, plan.object.generation));
  };
  for (const auto& [i, seconds] : read_) {
    if (!is_damaged(packs_[i])) ledger_->verified(packs_[i].object, seconds);
  }
  for (const PackPlan& plan : packs_) {
    if (!damaged.empty() && is_damaged(plan)) ledger_->forget(plan.object);
  }
  read_.clear();
  ledger_->save();
  saved_ns_ = clock_.ticks_ns();
}

void PackNotes::finish() {
  if (ledger_ == nullptr) return;
  std::vector<repo::PackObject> there;
  for (const PackPlan& plan : packs_) there.push_back(plan.object);
  ledger_->keep_only(there);
  write_down();
}

}  // namespace holdfast::flow
