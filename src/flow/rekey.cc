#include "flow/rekey.h"

#include <algorithm>
#include <iterator>

#include "flow/forget.h"
#include "repo/rights.h"

namespace holdfast::flow {

Result<RekeyPlan> plan_rekey(const repo::Repository& repository, std::stop_token stop) {
  using repo::Right;
  TRY(repo::require(repository.secrets(),
                    {Right::deduplicate, Right::index, Right::read, Right::commit, Right::log}));
  RekeyPlan plan;
  plan.history = TRY(repository.history(stop));
  plan.epoch = plan.history.log.epoch();
  if (plan.epoch > repository.secrets().epoch()) {
    return Error(Errc::denied, "this key does not open what is written under the newest read key")
        .hint("use one that does; `holdfast key list` shows them");
  }
  for (const repo::Snapshot& commit : plan.history.commits) {
    const auto opening = repository.read_opening(commit.commit.transaction, stop);
    const bool lost = !opening.ok() &&
                      (opening.error().kind() == Errc::damaged || opening.error().kind() == Errc::not_found);
    if (!opening.ok() && !lost) return opening.error().copy();  // else who needs it will say so
    if (opening.ok() && opening.value().place.epoch == plan.epoch)
      plan.fresh.insert(commit.commit.transaction);
  }
  for (const repo::Snapshot* snapshot : plan.history.snapshots()) {
    const bool fresh = TRY(needs_only(repository, *snapshot, plan.fresh, stop));
    if (fresh) {
      ++plan.up_to_date;
    } else {
      plan.snapshots.push_back(snapshot);
    }
  }
  return plan;
}

Result<CopyReport> rekey(const repo::Repository& repository, const RekeyPlan& plan, repo::LocalState& local,
                         Observer& observer, std::stop_token stop) {
  Renewal renewal;
  renewal.fresh = plan.fresh;
  renewal.done = [&](const repo::Snapshot& old, const CopiedSnapshot&) -> Result<void> {
    ForgetSpec spec;
    spec.ids = {old.id};
    TRY_AS(forget(repository, spec, stop), "forgetting snapshot " + old.id.substr(0, 8));
    return {};
  };
  std::vector<const repo::Snapshot*> mine;
  std::copy_if(
      plan.snapshots.begin(), plan.snapshots.end(), std::back_inserter(mine),
      [&](const repo::Snapshot* snapshot) { return snapshot->commit.domain == local.keys()->domain(); });
  return renew(repository, plan.history, mine, renewal, local, observer, stop);
}

}  // namespace holdfast::flow
