#include "flow/prune.h"

#include <fmt/core.h>

#include "flow/collection.h"

namespace holdfast::flow {

namespace {

// Plans that were overtaken by others before it is given up.
constexpr int kPlansMax = 20;

Result<void> check_rights(const repo::Repository& repository) {
  const repo::Secrets& secrets = repository.secrets();
  if (secrets.index && secrets.log) return {};
  return Error(Errc::denied, "this key may not remove anything").hint("use a key with the maintainer's rights");
}

}  // namespace

Result<PruneReport> prune(const repo::Repository& repository, const PruneOptions& options, Observer& observer,
                          std::stop_token stop) {
  TRY(check_rights(repository));
  PruneReport report;
  Collection collection(repository, options, observer, report);
  for (int plans = 0; plans < kPlansMax; ++plans) {
    report.plan = TRY(collection.plan(stop));
    if (!report.plan.to_abort.empty()) {  // then what they left can go too
      TRY(collection.abort(report.plan.to_abort, stop));
      continue;
    }
    if (report.plan.steps.empty()) {
      TRY(collection.sweep(stop));
      return report;
    }
    TRY(collection.witness(report.plan.mark, stop));
    if (!TRY_AS(collection.condemn(report.plan, stop), "condemning what is dead")) continue;
    if (!TRY(collection.settle(stop))) {
      TRY(collection.sweep(stop));
      return report;
    }
    // No transaction that could refer to what is condemned is undecided: what is not needed now never will be.
    const bool all = TRY(collection.remove_condemned(stop));
    TRY(collection.sweep(stop));
    if (all) return report;
  }
  return Error(Errc::conflict, "the log moved on again and again").hint("run the command again");
}

}  // namespace holdfast::flow
