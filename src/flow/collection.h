// Collection: the steps of one prune, in the order that makes them safe. What they are called in decision 2
// stands with each. One thread.
#pragma once

#include "flow/prune.h"
#include "repo/witness.h"

namespace holdfast::flow {

class Collection {
 public:
  Collection(const repo::Repository& repository, const PruneOptions& options, Observer& observer,
             PruneReport& report)
      : repository_(repository),
        options_(options),
        observer_(observer),
        report_(report),
        marker_(repository),
        witness_(repository) {}

  Result<PrunePlan> plan(std::stop_token stop);  // G0, G1
  Result<void> abort_all(const std::vector<model::TransactionId>& ids, std::stop_token stop);
  // Walks the trees of live commits that no one has walked yet; `mark` then has the log with the new entry,
  // unless somebody else appended first.
  Result<void> witness(repo::Mark& mark, std::stop_token stop);
  // G2. False where the log moved on: plan again.
  Result<bool> condemn(PrunePlan& plan, std::stop_token stop);
  // G3, G4. False where someone is still undecided when the time is over.
  Result<bool> settle(std::stop_token stop);
  Result<void> remove_condemned(std::stop_token stop);               // G5–G8
  Result<void> sweep(const repo::Mark& mark, std::stop_token stop);  // G9

 private:
  using Items = std::vector<repo::Item>;
  enum class Turn { again, done };
  Result<bool> append(repo::LogState& log, const repo::LogEntry& entry, std::stop_token stop);
  Result<Turn> try_delete(std::uint64_t entry, Items& items, std::stop_token stop);
  Result<bool> lift_needed(repo::Mark& mark, std::uint64_t entry, const Items& items, std::stop_token stop);
  Result<void> copy_kept(const repo::Mark& mark, std::uint64_t entry, Items& items, std::stop_token stop);
  Result<void> remove_all(const std::vector<storage::ObjectInfo>& objects, std::stop_token stop);

  const repo::Repository& repository_;
  const PruneOptions& options_;
  Observer& observer_;
  PruneReport& report_;
  repo::Marker marker_;
  repo::TreeWitness witness_;
  PackObjects objects_;                                       // as last listed
  std::map<std::uint64_t, Items> condemned_;                  // by entry
  std::set<std::pair<model::PackId, std::uint64_t>> copied_;  // and verified, by this process
  std::set<model::PackId> anew_;                              // to be condemned under a new number
  std::set<model::PackId> hopeless_;                          // could not be copied
};

}  // namespace holdfast::flow
