#include "flow/forget.h"

#include <fmt/core.h>

#include <array>

#include "cli/commands.h"
#include "cli/prune_run.h"
#include "cli/snapshot_view.h"
#include "cli/wire.h"
#include "flow/maintain.h"

namespace holdfast::cli {

void declare(Syntax& syntax, ForgetOptions& options) {
  syntax.argument("SNAPSHOT", &options.ids, "forget just these");
  syntax.option("-l,--keep-last", "N", &options.last,
                "keep the last N (N may be a time as 7d, or unlimited)");
  syntax.option("-H,--keep-hourly", "N", &options.hourly, "keep the last of each of N hours");
  syntax.option("-d,--keep-daily", "N", &options.daily, "keep the last of each of N days");
  syntax.option("-w,--keep-weekly", "N", &options.weekly, "keep the last of each of N weeks");
  syntax.option("-m,--keep-monthly", "N", &options.monthly, "keep the last of each of N months");
  syntax.option("-y,--keep-yearly", "N", &options.yearly, "keep the last of each of N years");
  syntax.option("--keep-within", "TIME", &options.within,
                "keep all of this time before the newest; 2y5m7d3h");
  syntax.option("--keep-within-hourly", "TIME", &options.within_hourly, "keep hourly ones of this time");
  syntax.option("--keep-within-daily", "TIME", &options.within_daily, "keep daily ones of this time");
  syntax.option("--keep-within-weekly", "TIME", &options.within_weekly, "keep weekly ones of this time");
  syntax.option("--keep-within-monthly", "TIME", &options.within_monthly, "keep monthly ones of this time");
  syntax.option("--keep-within-yearly", "TIME", &options.within_yearly, "keep yearly ones of this time");
  syntax.option("--keep-tag", "TAG[,TAG]", &options.keep_tags, "keep those with all these tags");
  syntax.option("--host", "HOST", &options.filter.hosts, "only snapshots of this host");
  syntax.option("--path", "PATH", &options.filter.paths, "only snapshots that include this path");
  syntax.option("--tag", "TAG[,TAG]", &options.filter.tags, "only snapshots with all these tags");
  syntax.option("-g,--group-by", "GROUP", &options.group_by,
                "judge snapshots of one host, paths, tags together; default: host,paths");
  syntax.flag("--unsafe-allow-remove-all", &options.unsafe_allow_remove_all,
              "a policy that keeps nothing is meant so; needs a filter");
  syntax.flag("--allow-remove-last-good", &options.allow_remove_last_good,
              "even the last complete snapshot of a group may go");
  syntax.flag("-c,--compact", &options.compact, "shorter tables");
  syntax.flag("--prune", &options.prune, "then remove what nobody needs any more, as prune does");
  syntax.flag("--undo", &options.undo, "bring the SNAPSHOTs back, as undelete does");
  syntax.flag("-n,--dry-run", &options.dry_run, "only say what would be done");
}

void declare(Syntax& syntax, UndeleteOptions& options) {
  syntax.argument("SNAPSHOT", &options.ids, "forgotten snapshots; `snapshots --forgotten` lists them")
      .required = true;
  syntax.flag("-n,--dry-run", &options.dry_run, "only say what would be done");
}

namespace {

Result<model::Policy> policy_of(const ForgetOptions& options) {
  model::Policy policy;
  using model::Period;
  struct Rule {
    Period period;
    const char* name;
    const std::string& count;
    const std::string& within;
  };
  const std::vector<Rule> rules = {{Period::last, "last", options.last, options.within},
                                   {Period::hourly, "hourly", options.hourly, options.within_hourly},
                                   {Period::daily, "daily", options.daily, options.within_daily},
                                   {Period::weekly, "weekly", options.weekly, options.within_weekly},
                                   {Period::monthly, "monthly", options.monthly, options.within_monthly},
                                   {Period::yearly, "yearly", options.yearly, options.within_yearly}};
  for (const Rule& rule : rules) {
    model::Keep& keep = policy[rule.period];
    if (!rule.count.empty())
      keep = TRY_AS(model::parse_keep(rule.count), fmt::format("--keep-{}", rule.name));
    if (!rule.within.empty()) {
      keep.within = TRY_AS(model::parse_duration(rule.within), fmt::format("--keep-within of {}", rule.name));
    }
  }
  for (const std::string& tags : options.keep_tags) policy.tags.push_back(model::parse_tag_list(tags));
  policy.may_remove_all = options.unsafe_allow_remove_all;
  policy.may_remove_last_good = options.allow_remove_last_good;
  return policy;
}

std::string group_title(const model::Group& group, const model::GroupBy& by) {
  std::string title = "Snapshots";
  if (!group.domain.empty()) title += " of key domain " + printable(group.domain);
  if (by.host) title += " of host " + printable(group.host);
  if (by.tags) title += " with tags " + printable(model::to_string(group.tags));
  if (by.paths) title += " of [" + printable(joined(group.paths, ", ")) + "]";
  return title + ":";
}

void show_group(Context& context, const flow::ForgetPlan& plan, const model::Group& group, bool compact) {
  Table table(compact ? std::vector<std::string>{"Fate", "ID", "Time", "Reasons"}
                      : std::vector<std::string>{"Fate", "ID", "Time", "Tags", "Reasons", ">Size"});
  for (auto at = group.verdicts.rbegin(); at != group.verdicts.rend(); ++at) {
    const repo::Snapshot& snapshot = *plan.snapshots.all()[at->snapshot];
    std::vector<std::string> row = {at->keep ? "keep" : "remove", flow::short_id(snapshot),
                                    time_text(snapshot.commit.start)};
    if (!compact) row.push_back(printable(joined(snapshot.tags, ",")));
    row.push_back(joined(at->reasons, "\n"));
    if (!compact) row.push_back(size_text(total_bytes(snapshot)));
    table.row(std::move(row));
  }
  context.out.line(table.text());
}

std::string group_json(const flow::ForgetPlan& plan, const model::Group& group) {
  static constexpr std::array<const char*, model::kPeriods> kPeriodNames = {"last",   "hourly",  "daily",
                                                                            "weekly", "monthly", "yearly"};
  std::vector<std::string> keep, remove, reasons;
  for (const model::Verdict& verdict : group.verdicts) {
    const repo::Snapshot& snapshot = *plan.snapshots.all()[verdict.snapshot];
    const std::string object = snapshot_json(plan.snapshots.history(), snapshot).text();
    (verdict.keep ? keep : remove).push_back(object);
    if (!verdict.keep) continue;
    JsonObject counters;
    for (std::size_t i = 0; i < model::kPeriods; ++i) {
      if (verdict.counters[i] != 0) counters.add(kPeriodNames[i], verdict.counters[i]);
    }
    JsonObject reason;
    reason.raw("snapshot", object).add("matches", verdict.reasons).raw("counters", counters.text());
    reasons.push_back(reason.text());
  }
  JsonObject object;
  object.add("tags", group.tags).add("host", group.host).add("paths", group.paths);
  if (!group.domain.empty()) object.add("domain", group.domain);
  object.raw("keep", json_array(keep)).raw("remove", json_array(remove)).raw("reasons", json_array(reasons));
  return object.text();
}

void show(Context& context, const flow::ForgetPlan& plan, const flow::ForgetSpec& spec, bool compact) {
  std::vector<std::string> objects;
  for (const model::Group& group : plan.groups) {
    if (context.global.json) {
      objects.push_back(group_json(plan, group));
    } else if (!context.global.quiet) {
      context.out.line(group_title(group, spec.group_by));
      show_group(context, plan, group, compact);
    }
  }
  if (context.global.json && spec.ids.empty()) context.out.line(json_array(objects));
  if (context.global.json && !spec.ids.empty()) {
    for (const repo::Snapshot* snapshot : plan.remove) {
      context.out.line(JsonObject().add("message_type", "forgotten").add("snapshot", snapshot->id).text());
    }
  }
  if (context.global.json || context.global.quiet) return;
  const std::string count = counted(plan.remove.size(), "snapshot");
  if (spec.dry_run) {
    context.out.line("would forget " + count);
  } else {
    context.out.line("forgot " + count + (plan.remove.empty() ? "" : "; undelete brings back until a prune"));
  }
}

Result<int> bring_back(Context& context, const Words& ids, bool dry_run) {
  if (ids.empty()) return Error(Errc::usage, "which snapshots to bring back?");
  const Session session = TRY(open_session(context, {repo::Right::index, repo::Right::log}));
  repo::History history = TRY(session.repository->history(context.stop));
  const flow::SnapshotList list = flow::SnapshotList::forgotten(std::move(history));
  const auto picked = TRY_AS(list.pick_all(ids, {}), "among the forgotten");
  std::vector<model::TransactionId> transactions;
  for (const repo::Snapshot* snapshot : picked) transactions.push_back(snapshot->commit.transaction);
  if (!dry_run) TRY(flow::unforget(*session.repository, transactions, context.stop));
  for (const repo::Snapshot* snapshot : picked) {
    const std::string& id = snapshot->id;
    if (context.global.json) {
      context.out.line(JsonObject().add("message_type", "undeleted").add("snapshot", id).text());
    } else if (!context.global.quiet) {
      context.out.line(
          fmt::format("{} snapshot {}", dry_run ? "would bring back" : "brought back", id.substr(0, 8)));
    }
  }
  return 0;
}

}  // namespace

Result<int> run(Context& context, const ForgetOptions& options) {
  if (options.undo) return bring_back(context, options.ids, options.dry_run);
  flow::ForgetSpec spec;
  spec.ids = options.ids;
  spec.filter = filter_of(options.filter);
  spec.policy = TRY(policy_of(options));
  if (options.group_by) spec.group_by = TRY_AS(model::parse_group_by(*options.group_by), "--group-by");
  spec.dry_run = options.dry_run;
  const Session session = TRY(open_session(context, {repo::Right::index, repo::Right::log}));
  const flow::ForgetPlan plan = TRY(flow::forget(*session.repository, spec, context.stop));
  show(context, plan, spec, options.compact);
  if (options.prune && !plan.remove.empty()) {
    const int code = TRY(run_prune(context, *session.repository, {}, options.dry_run));
    if (code != 0) return code;
  }
  return warn_unreadable(context, plan.snapshots.history());
}

Result<int> run(Context& context, const UndeleteOptions& options) {
  return bring_back(context, options.ids, options.dry_run);
}

}  // namespace holdfast::cli
