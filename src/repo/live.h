// Which commits are live: decision 2, "Live commits". Pure.
#pragma once

#include <map>
#include <vector>

#include "repo/repository.h"

namespace holdfast::repo {

// The last commit of each run; a checkpoint before it is replaced.
using LastOfRuns = std::map<model::RunId, model::TransactionId>;
LastOfRuns last_of_runs(const std::vector<Snapshot>& commits);

// False for what is forgotten or erased with its key domain, and for a checkpoint that was abandoned or
// replaced. What is retired is no commit any more; it is not looked at here.
bool is_live(const Snapshot& commit, const LogState& log, const LastOfRuns& last);

}  // namespace holdfast::repo
