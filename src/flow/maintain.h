// What an administrator decides about snapshots: entries of the maintenance log, each appended on the view by
// which it was checked, and checked again where somebody else appended first. Decision 2, A1–A3. Needs the
// index and log secrets.
#pragma once

#include "repo/repository.h"

namespace holdfast::flow {

// The snapshots are no longer listed, and prune may remove what only they need. Those forgotten already stay
// so. Errc::not_found where one is no committed snapshot.
Result<void> forget(const repo::Repository& repository, const std::vector<model::TransactionId>& snapshots,
                    std::stop_token stop);

// Takes forgetting back, for all of them or none. Errc::not_found where prune has removed anything of one
// already.
Result<void> unforget(const repo::Repository& repository, const std::vector<model::TransactionId>& snapshots,
                      std::stop_token stop);

}  // namespace holdfast::flow
