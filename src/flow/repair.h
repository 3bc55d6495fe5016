// repair packs: what a pack lost and parity can replace is written anew, as an object of another generation,
// by the steps that a prune copies with (condemn, copy, read back, delete: decision 2, G7 and G8; decision
// 7); whole packs and vital small objects come from a replica, a verbatim copy of the repository. First a
// plan, which is a value, then its performance. Only adds objects: what they replace is garbage by the log
// then, for prune to remove. Needs the index and log secrets. What nobody can replace is told, and goes on
// the wanted list, so that a backup that meets it stores it again; with the read secret, what was stored
// again is filled in where it was lost (decision 14).
#pragma once

#include <vector>

#include "flow/check.h"
#include "flow/fill.h"

namespace holdfast::flow {

struct RepairOptions {
  std::vector<model::PackId> packs;     // these; empty: all
  storage::Storage* replica = nullptr;  // a verbatim copy; null: there is none
  unsigned workers = 0;                 // 0: one per processor
};

struct RepairPlan {
  enum class Action : std::uint8_t {
    rewrite,  // from its own parity, or from the replica, as a new generation
    fetch,    // missing here: the replica's object, byte for byte
    fill,     // as a new generation, with lost chunks that were stored again elsewhere
  };
  struct Step {
    Action action = Action::rewrite;
    std::string object;                 // its name in the store
    std::optional<model::PackId> pack;  // nothing: a small object
    std::uint32_t generation = 0;       // of the pack's object, here or (from_replica) there
    bool from_replica = false;
    Hash root{};  // of generation 0, by the manifest; zeros: not known
    std::uint64_t bytes = 0;
    std::string why;
    std::shared_ptr<const Filling> filling = {};  // Action::fill
  };
  // Slots of the object of that generation.
  struct Seen {
    std::uint32_t generation = 0;
    model::Slots slots;
  };
  std::vector<Step> steps;
  std::vector<Finding> stays;               // what is wrong, and can't be mended by this
  std::map<model::PackId, Seen> lost;       // to go on the wanted list
  std::map<model::PackId, Seen> found;      // on it, and there again
  std::uint64_t packs = 0, bytes_read = 0;  // looked at

  std::uint64_t count(Severity severity) const;
};

struct RepairReport {
  RepairPlan plan;  // the last one, with nothing to do any more, or nothing that can be done
  std::vector<RepairPlan::Step> done;
  std::vector<Finding> failed;
  std::uint64_t wanted = 0, found = 0;  // chunks that were put on the wanted list, and taken off it
  // 13 where anything stays damaged, 16 where anything was unreachable, else 0.
  int exit_code() const;
};

const char* word(RepairPlan::Action action);
std::uint64_t count_slots(const std::map<model::PackId, RepairPlan::Seen>& seen);

// Reads every frame of the packs. Errors: denied, stopped, the store can't be listed, not_found for a pack
// that was named and that there need not be.
Result<RepairPlan> plan_repair(const repo::Repository& repository, const RepairOptions& options,
                               Observer& observer, std::stop_token stop);
// Plans, performs, and plans again where small objects that came back tell of more. Errc::conflict where
// others kept changing the log.
Result<RepairReport> repair(const repo::Repository& repository, const RepairOptions& options,
                            Observer& observer, std::stop_token stop);

// The two entries of the log that keep the wanted list, of what still is as it was seen; and FOUND also of
// packs that were mended. How many chunks they named.
Result<std::uint64_t> record_lost(const repo::Repository& repository, const RepairPlan& plan,
                                  std::stop_token stop);
Result<std::uint64_t> record_found(const repo::Repository& repository, const RepairPlan& plan,
                                   const std::vector<RepairPlan::Step>& done, std::stop_token stop);

}  // namespace holdfast::flow
