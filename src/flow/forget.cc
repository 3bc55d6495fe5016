#include "flow/forget.h"

namespace holdfast::flow {

namespace {

// Others append to the log now and then; to lose this often in a row is not chance.
constexpr int kAttempts = 10;

// Decides and appends, again while others were faster. `attempt` gives Errc::conflict then.
template <typename Attempt>
auto with_retry(Attempt attempt) -> decltype(attempt()) {
  for (int i = 1;; ++i) {
    auto result = attempt();
    if (result.ok() || result.error().kind() != Errc::conflict || i == kAttempts) return result;
  }
}

Result<void> append(const repo::Repository& repository, const repo::History& history,
                    const repo::LogEntry& entry, std::stop_token stop) {
  repo::LogState state = history.log;
  return repository.log().append(state, entry, repository.now(), repository.random(), stop);
}

Result<void> judge_by_policy(const repo::Repository& repository, const ForgetSpec& spec, ForgetPlan& plan) {
  std::vector<model::SnapshotFacts> facts;
  std::vector<std::size_t> indices = model::select(plan.snapshots.facts(), spec.filter);
  std::sort(indices.begin(), indices.end());
  // What it is of can't be known while its key domain's secret is missing: no policy drops it.
  std::erase_if(indices, [&](std::size_t index) { return plan.snapshots.all()[index]->nameless; });
  for (const std::size_t index : indices) facts.push_back(plan.snapshots.facts()[index]);
  plan.groups = TRY(model::judge(facts, spec.policy, spec.group_by, repository.now().seconds));
  for (model::Group& group : plan.groups) {
    for (model::Verdict& verdict : group.verdicts) {
      verdict.snapshot = indices[verdict.snapshot];
      if (!verdict.keep) plan.remove.push_back(plan.snapshots.all()[verdict.snapshot]);
    }
  }
  return {};
}

Result<void> check_intent(const ForgetSpec& spec) {
  const model::Filter& filter = spec.filter;
  const bool filtered =
      !filter.hosts.empty() || !filter.paths.empty() || !filter.tags.empty() || !filter.domains.empty();
  if (spec.ids.empty() && spec.policy.empty() && !spec.policy.may_remove_all) {
    return Error(Errc::usage, "nothing says which snapshots to keep")
        .hint("give snapshot ids, or a policy as --keep-daily 7; see `holdfast forget --help`");
  }
  if (spec.ids.empty() && spec.policy.empty() && !filtered) {
    return Error(Errc::guarded, "this would forget every snapshot of the repository")
        .hint("narrow it by --host, --path, --tag or --domain");
  }
  if (!spec.ids.empty() && !spec.policy.empty()) {
    return Error(Errc::usage, "give snapshot ids or a policy, not both");
  }
  return {};
}

Result<ForgetPlan> forget_once(const repo::Repository& repository, const ForgetSpec& spec,
                               std::stop_token stop) {
  SnapshotList list = TRY(SnapshotList::read(repository, stop));
  ForgetPlan plan{std::move(list), {}, {}};
  if (spec.ids.empty()) {
    TRY(judge_by_policy(repository, spec, plan));
  } else {
    plan.remove = TRY(plan.snapshots.pick_all(spec.ids, spec.filter));
  }
  if (plan.remove.empty() || spec.dry_run) return plan;
  repo::Forget entry;
  for (const repo::Snapshot* snapshot : plan.remove)
    entry.transactions.push_back(snapshot->commit.transaction);
  TRY(append(repository, plan.snapshots.history(), entry, stop));
  return plan;
}

std::vector<std::string> retagged(std::vector<std::string> tags, const TagSpec& spec) {
  if (spec.set) return *spec.set;
  for (const std::string& tag : spec.add) {
    if (std::find(tags.begin(), tags.end(), tag) == tags.end()) tags.push_back(tag);
  }
  std::erase_if(tags, [&](const std::string& tag) {
    return std::find(spec.remove.begin(), spec.remove.end(), tag) != spec.remove.end();
  });
  return tags;
}

// On the view of `log`, which goes along.
Result<bool> tag_once(const repo::Repository& repository, const repo::Snapshot& snapshot, const TagSpec& spec,
                      repo::LogState& log, std::stop_token stop) {
  const model::TransactionId id = snapshot.commit.transaction;
  if (log.dropped(snapshot.commit) || log.retired(id)) return false;
  const std::vector<std::string> before = TRY(repository.tags_of(snapshot, log, stop));
  const std::vector<std::string> tags = retagged(before, spec);
  if (tags == before) return false;
  if (spec.dry_run) return true;
  const repo::Tag entry = TRY(repository.tag_entry(snapshot, tags, stop));
  auto appended = repository.log().append(log, entry, repository.now(), repository.random(), stop);
  if (!appended.ok() && appended.error().kind() == Errc::conflict) TRY(repository.log().follow(log, stop));
  TRY(std::move(appended));
  return true;
}

}  // namespace

Result<ForgetPlan> forget(const repo::Repository& repository, const ForgetSpec& spec, std::stop_token stop) {
  TRY(check_intent(spec));
  return with_retry([&] { return forget_once(repository, spec, stop); });
}

Result<std::vector<std::string>> tag(const repo::Repository& repository, const TagSpec& spec,
                                     std::stop_token stop) {
  const SnapshotList list = TRY(SnapshotList::read(repository, stop));
  const auto picked = TRY(list.pick_all(spec.ids, spec.filter));
  repo::LogState log = list.history().log;
  std::vector<std::string> changed;
  for (const repo::Snapshot* snapshot : picked) {
    const bool done = TRY(with_retry([&] { return tag_once(repository, *snapshot, spec, log, stop); }));
    if (done) changed.push_back(snapshot->id);
  }
  return changed;
}

}  // namespace holdfast::flow
