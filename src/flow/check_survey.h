// Survey: reads every small object of a repository (commits, manifests, reference pages, log, keys, config),
// tells what is wrong with them, and says which packs there must be.
#pragma once

#include "flow/check_packs.h"

namespace holdfast::flow {

struct Survey {
  repo::LogState log;
  std::vector<repo::Snapshot> live;  // commits whose data must be there: snapshots and checkpoints
  std::vector<PackPlan> packs;       // by name
  bool needs_known = true;           // false: a reference page can't be read, so more packs may be needed
};

// Errors: the store can't be listed, stopped, no right to read.
Result<Survey> survey(const repo::Repository& repository, CheckFindings& findings, CheckReport& report,
                      std::stop_token stop);

}  // namespace holdfast::flow
