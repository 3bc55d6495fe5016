// rekey: stores what live snapshots hold again, under the newest read key, and forgets the old ones; so what
// only older keys opened goes with the next prune, and until then undelete brings it back. A copy has all of
// the old snapshot but its id: contents, metadata, times, tags. Each is a transaction of its own, compared
// with the old one before that is forgotten: it may be cut off anywhere, and running it again does the rest.
// Memory: about 100 bytes for each chunk of these snapshots.
#pragma once

#include "flow/copy.h"

namespace holdfast::flow {

struct RekeyPlan {
  std::uint32_t epoch = 0;
  repo::History history;
  std::vector<const repo::Snapshot*> snapshots;  // that hold something of older epochs; oldest first
  std::uint64_t up_to_date = 0;                  // others
  std::set<model::TransactionId> fresh;          // transactions under the newest key
};

// Errc::damaged, denied, unreachable.
Result<RekeyPlan> plan_rekey(const repo::Repository& repository, std::stop_token stop);

// Those of the key domain that `local` is of. Errors as of copy(): what was done before stays.
Result<CopyReport> rekey(const repo::Repository& repository, const RekeyPlan& plan, repo::LocalState& local,
                         Observer& observer, std::stop_token stop);

}  // namespace holdfast::flow
