// rewrite: a new snapshot from an old one, without some of its entries, or with another host, time or tags.
// Contents and whatever of the tree stays the same are referred to, not copied; the reference set is complete
// as that of any commit. The old snapshot is not touched: forgetting it is another step.
#pragma once

#include "flow/observer.h"
#include "repo/local_state.h"
#include "source/pattern.h"

namespace holdfast::flow {

struct RewriteSpec {
  source::Rules exclude;                   // entries that one of these matches go, folders with all below
  std::vector<std::string> exclude_texts;  // the same, added to the snapshot's record
  std::optional<std::string> host;
  std::optional<model::Time> time;
  std::optional<std::vector<std::string>> tags;
  bool dry_run = false;
};

struct Rewritten {
  std::string from;
  std::string to;  // "" where nothing changed, and in a dry run
  bool changed = false;
  std::uint64_t removed_entries = 0, removed_bytes = 0;
  std::uint64_t stored_bytes = 0;  // of tree nodes that had to be new
};

// Errc::conflict where a prune has begun to remove what the snapshot needs, or a maintainer ended the
// transaction: begin again. damaged, denied.
Result<Rewritten> rewrite(const repo::Repository& repository, const repo::Snapshot& snapshot,
                          const RewriteSpec& spec, repo::LocalState& local, Observer& observer,
                          std::stop_token stop);

}  // namespace holdfast::flow
