// What a prune would do: a value that can be printed, tested, then performed. Made from the log, fates,
// reference pages, manifests and a listing: no pack is read and no read secret is needed.
// docs/decisions/0002-garbage-collection.md, G0, G1.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "repo/collector.h"

namespace holdfast::flow {

struct PruneOptions {
  // Dead bytes that may stay within packs in use, in percent of what is live; 0: every pack with anything
  // dead is copied.
  double max_unused_percent = 2;
  // Remove packs that are dead altogether, copy none.
  bool dead_packs_only = false;
  // Unfinished transactions that began before this are taken for crashed and aborted; 0: all of them. A
  // policy only: whoever is aborted loses his run, never a snapshot.
  std::uint64_t abort_open_after_s = 24 * 60 * 60;
  // How long to wait for younger ones to end.
  std::uint64_t wait_ms = 60 * 1000;
  // Only walk the trees that nobody has walked yet, so that a key that may not read can prune.
  bool confirm_only = false;
  // Removals under way at once.
  unsigned connections = 8;
};

// Objects of packs by generation, with their sizes.
using PackObjects = std::map<model::PackId, std::map<std::uint32_t, std::uint64_t>>;

struct PrunePlan {
  struct Step {
    repo::Item item;
    std::uint64_t bytes_now = 0;
    std::uint64_t bytes_after = 0;              // not 0: what is kept is copied to an object of this size
    std::optional<std::uint64_t> condemned_by;  // go on with this entry, which somebody left
    bool whole() const { return item.pack.pack == repo::kOwnObjects; }
  };
  std::vector<Step> steps;

  std::uint64_t snapshots = 0;      // that stay, checkpoints included
  std::uint64_t packs = 0;          // of all
  std::uint64_t bytes_total = 0;    // of all packs' objects, as they are
  std::uint64_t bytes_live = 0;     // that packs in use would have without anything dead
  std::uint64_t bytes_unused = 0;   // dead within packs that stay as they are
  std::uint64_t bytes_garbage = 0;  // objects that nobody needs any more: left by an earlier prune
  std::uint64_t bytes_to_copy = 0;  // by relocations
  std::uint64_t bytes_freed = 0;    // by all of it

  std::vector<model::TransactionId> to_abort;     // crashed, by the policy
  std::vector<model::TransactionId> running;      // unfinished, to be waited for
  std::vector<model::TransactionId> unwitnessed;  // trees to be walked first
  std::vector<std::string> missing;  // packs that snapshots need and that are not there: for `check`

  repo::Mark mark;  // what the choice was made by
  PackObjects objects;

  bool nothing_to_do() const { return steps.empty() && to_abort.empty() && bytes_garbage == 0; }
};

// Errc::damaged, with a list, where anything that must be known can't be read. `marker` may have marked
// before; packs in `anew` are condemned under a new number even where a condemnation is in force.
Result<PrunePlan> plan_prune(const repo::Repository& repository, repo::Marker& marker,
                             const PruneOptions& options, const std::set<model::PackId>& anew,
                             std::stop_token stop);
Result<PrunePlan> plan_prune(const repo::Repository& repository, const PruneOptions& options,
                             std::stop_token stop);

// A few lines for people, as --dry-run prints.
std::string describe(const PrunePlan& plan);

// Whether, by this view or any later, that object is garbage (G9).
bool is_garbage(const repo::LogState& log, const model::PackId& pack, std::uint32_t generation);

}  // namespace holdfast::flow
