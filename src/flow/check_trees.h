// Walks the trees of live snapshots: every node and leaf reads and decodes, every address is of the right
// type and id and covered by the commit's reference set. What snapshots share is read once.
#pragma once

#include "flow/check_packs.h"

namespace holdfast::flow {

// `known` is of all packs that could be opened. Errors: stopped.
Result<void> check_trees(const repo::Repository& repository, const repo::LogState& log,
                         const std::vector<repo::Snapshot>& live, const KnownChunks& known,
                         CheckFindings& findings, CheckReport& report, Observer& observer,
                         std::stop_token stop);

}  // namespace holdfast::flow
