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

// Where the machine remembers what it saw: told of fates and log as soon as they are read, and of what in
// them contradicts that.
using OnHistory = std::function<Result<void>(const repo::History&)>;

// Errors: the store can't be listed, stopped, no right to read; those of `on_history`, which may be empty.
Result<Survey> survey(const repo::Repository& repository, CheckFindings& findings, CheckReport& report,
                      std::stop_token stop, const OnHistory& on_history = {});

}  // namespace holdfast::flow
