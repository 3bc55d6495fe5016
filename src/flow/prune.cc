#include "flow/prune.h"

#include <fmt/core.h>

#include "flow/collection.h"
#include "flow/key_domains.h"
#include "repo/rights.h"

namespace holdfast::flow {

namespace {

// Plans that were overtaken by others before it is given up.
constexpr int kPlansMax = 20;

}  // namespace

Result<PruneReport> prune(const repo::Repository& repository, const PruneOptions& options, Observer& observer,
                          std::stop_token stop) {
  TRY(repo::require(repository.secrets(), {repo::Right::index, repo::Right::log}));
  if (options.confirm_only)
    TRY(repo::require(repository.secrets(), {repo::Right::read, repo::Right::deduplicate}));
  PruneReport report;
  repo::LogState log;
  if (repository.remembers()) {  // nothing is removed by a history that was altered
    repo::History history = TRY(repository.history(stop));
    log = std::move(history.log);
  }
  if (!options.confirm_only) {
    TRY_AS(repository.log().follow(log, stop), "reading the log");
    // A secret that the store does not let go is told, and keeps no space from coming back.
    const auto destroyed = destroy_erased(repository, log, stop);
    if (!destroyed.ok() && destroyed.error().kind() == Errc::stopped) return destroyed.error().copy();
    if (destroyed.ok()) report.secrets_destroyed = destroyed.value();
    if (!destroyed.ok()) observer.problem(repo::kDomainPrefix, "finishing an erasure", destroyed.error());
  }
  Collection collection(repository, options, observer, report);
  for (int plans = 0; plans < kPlansMax; ++plans) {
    PrunePlan plan = TRY(collection.plan(stop));
    if (options.confirm_only) {
      if (plan.unwitnessed.empty()) return report;
      TRY(collection.witness(plan.mark, stop));
      continue;
    }
    if (!plan.to_abort.empty()) {  // then what they left can go too
      TRY(collection.abort_all(plan.to_abort, stop));
      continue;
    }
    if (report.plan.objects.empty()) report.plan = plan;
    if (plan.steps.empty()) {
      TRY(collection.sweep(plan.mark, stop));
      return report;
    }
    TRY(collection.witness(plan.mark, stop));
    const bool condemned = TRY_AS(collection.condemn(plan, stop), "condemning what is dead");
    if (!condemned) continue;
    const bool settled = TRY(collection.settle(stop));
    // Settled: no transaction that could refer to what is condemned is undecided. What is not needed now
    // never will be.
    if (settled) TRY(collection.remove_condemned(stop));
    TRY(collection.sweep(plan.mark, stop));
    if (!settled) return report;
    // What went may have been all that kept something else: an older checkpoint of its run, a copy that was
    // damaged.
  }
  return Error(Errc::conflict, "the log moved on again and again").hint("run the command again");
}

}  // namespace holdfast::flow
