// Pruning as `prune` and `forget --prune` do it, with what is shown meanwhile and after.
#pragma once

#include "cli/command.h"
#include "flow/prune.h"

namespace holdfast::cli {

// The exit code: 0, or 3 where something could not be removed yet.
Result<int> run_prune(Context& context, const repo::Repository& repository, const flow::PruneOptions& options,
                      bool dry_run);

}  // namespace holdfast::cli
