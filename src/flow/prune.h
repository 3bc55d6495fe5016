// The story of a prune: plan → witness → condemn → decide the undecided → mark again → copy what stays →
// delete → sweep. docs/decisions/0002-garbage-collection.md, G0–G9. Backups may run all the while, and other
// prunes; it may be stopped or killed at any instant, and the next one goes on. Needs the index and log
// secrets, and the read secret where a snapshot's tree was not walked before.
#pragma once

#include "flow/observer.h"
#include "flow/prune_plan.h"

namespace holdfast::flow {

struct PruneReport {
  PrunePlan plan;  // by which it began
  std::vector<model::TransactionId> aborted;
  std::vector<model::TransactionId>
      blocked_by;  // still running when the time was over: nothing was deleted, the next prune goes on
  std::uint64_t confirmed = 0;  // snapshots whose trees were walked
  std::uint64_t deleted_transactions = 0;
  std::uint64_t deleted_packs = 0;  // altogether
  std::uint64_t relocated_packs = 0;
  std::uint64_t lifted = 0;  // came to be needed again meanwhile
  std::uint64_t bytes_removed = 0;
  std::uint64_t bytes_copied = 0;
  std::uint64_t objects_removed = 0;
  std::uint64_t objects_left = 0;       // could not be removed now; the next prune tries again
  std::uint64_t problems = 0;           // packs that could not be copied
  std::uint64_t secrets_destroyed = 0;  // of key domains whose erasure was interrupted
  std::uint64_t bytes_freed() const { return bytes_removed - std::min(bytes_removed, bytes_copied); }
  // Exit code 3.
  bool partial() const { return objects_left > 0 || problems > 0 || !blocked_by.empty(); }
};

// Errc::damaged, and nothing is deleted, where anything that must be known can't be read or a tree needs more
// than its snapshot's reference set tells. Errc::denied where a secret is missing. Errc::conflict where
// others kept changing the log.
Result<PruneReport> prune(const repo::Repository& repository, const PruneOptions& options, Observer& observer,
                          std::stop_token stop);

}  // namespace holdfast::flow
