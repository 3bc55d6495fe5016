// What a check makes of the ledger: in which order packs are read, what is noted when one was, and how long
// ago each was verified. For check.cc; calls of one PackNotes must not overlap.
#pragma once

#include "flow/check_packs.h"
#include "repo/ledger.h"

namespace holdfast::flow {

// The stalest first: never verified, then by how long ago; among equals in the order they had.
void order_by_staleness(std::vector<PackPlan>& packs, const repo::Ledger& ledger);

// Of the packs that must be there, how long ago each was verified in full.
Freshness freshness_of(const std::vector<PackPlan>& packs, const repo::Ledger& ledger, std::int64_t now_s);

// Writes down what was read, as it goes: an interrupted check of hours is not for nothing.
class PackNotes {
 public:
  // `ledger` may be null: then nothing is noted. All outlive this.
  PackNotes(repo::Ledger* ledger, const std::vector<PackPlan>& packs, const CheckFindings& findings,
            Clock& clock)
      : ledger_(ledger), packs_(packs), findings_(findings), clock_(clock), saved_ns_(clock.ticks_ns()) {}

  // Every byte of packs[i] was read.
  void read(std::size_t i);
  // In the end, however it ended.
  void finish();

 private:
  void write_down();

  repo::Ledger* ledger_;
  const std::vector<PackPlan>& packs_;
  const CheckFindings& findings_;
  Clock& clock_;
  std::int64_t saved_ns_;
  std::vector<std::pair<std::size_t, std::int64_t>> read_;  // and when, in seconds
};

}  // namespace holdfast::flow
