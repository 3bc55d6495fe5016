#include "flow/rekey.h"

#include <fmt/core.h>

#include <iterator>
#include <set>

#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/snapshot_view.h"
#include "cli/wire.h"

namespace holdfast::cli {

void declare(Syntax& syntax, RekeyOptions& options) {
  syntax.flag("--data", &options.data, "store what the snapshots hold again, under the newest read key");
  syntax.flag("-n,--dry-run", &options.dry_run, "only say which snapshots would be stored again");
}

namespace {

void tell_plan(Context& context, const flow::RekeyPlan& plan) {
  for (const repo::Snapshot* snapshot : plan.snapshots) {
    JsonObject object;
    object.add("message_type", "would_rekey").add("source_snapshot", snapshot->id);
    context.out.line(context.global.json ? object.text() : "would store again " + snapshot_line(*snapshot));
  }
}

void tell(Context& context, const flow::RekeyPlan& plan, const flow::CopyReport& report) {
  std::uint64_t stored = 0;
  for (const flow::CopiedSnapshot& copied : report.snapshots) {
    stored += copied.stored_bytes;
    JsonObject object;
    object.add("message_type", "rekeyed").add("source_snapshot", copied.from);
    object.add("snapshot_id", copied.to).add("data_added_packed", copied.stored_bytes);
    if (context.global.json) {
      context.out.line(object.text());
    } else if (!context.global.quiet) {
      context.out.line(fmt::format("snapshot {} is now {} ({} stored)", copied.from.substr(0, 8),
                                   copied.to.substr(0, 8), size_text(copied.stored_bytes)));
    }
  }
  if (context.global.json || context.global.quiet) return;
  context.out.line(fmt::format("{} stored again under the read key of epoch {} ({}), {} {} there already",
                               counted(report.snapshots.size(), "snapshot"), plan.epoch, size_text(stored),
                               plan.up_to_date, plan.up_to_date == 1 ? "was" : "were"));
  if (report.snapshots.empty()) {
    if (plan.epoch == 0)
      context.out.line("The read key was never rotated: `holdfast key rotate` comes first.");
    return;
  }
  context.out.line(
      "The old ones are forgotten: the next prune removes them, and what only they needed; until then "
      "older keys open them. Who has a copy of the old objects keeps what an older key opens.");
}

}  // namespace

Result<int> run(Context& context, const RekeyOptions& options) {
  if (!options.data) {
    return Error(Errc::usage, "say --data to store what the snapshots hold again")
        .hint("`holdfast key rotate` makes a new read key for what is written from then on");
  }
  ProgressOptions show = TRY(progress_options(context));
  const Session session =
      TRY(open_session(context, {repo::Right::deduplicate, repo::Right::index, repo::Right::read,
                                 repo::Right::commit, repo::Right::log}));
  const flow::RekeyPlan plan = TRY(flow::plan_rekey(*session.repository, context.stop));
  if (options.dry_run) {
    tell_plan(context, plan);
    return warn_unreadable(context, plan.history);
  }
  Progress progress(std::move(show), system_clock(), context.out, context.signals);
  std::set<model::Domain> domains;
  for (const repo::Snapshot* snapshot : plan.snapshots) domains.insert(snapshot->commit.domain);
  flow::CopyReport report;
  for (const model::Domain domain : domains) {
    const auto local = local_of_domain(context, session, domain);
    if (!local.ok() && local.error().kind() == Errc::damaged) {  // its secret is lost: the others still go
      progress.problem(fmt::format("key domain #{}", domain), "rekey", local.error());
      continue;
    }
    if (!local.ok()) return local.error().copy();
    flow::CopyReport part =
        TRY(flow::rekey(*session.repository, plan, *local.value(), progress, context.stop));
    std::move(part.snapshots.begin(), part.snapshots.end(), std::back_inserter(report.snapshots));
  }
  progress.finish();
  tell(context, plan, report);
  return progress.problems() > 0 ? exit_code(Errc::partial) : warn_unreadable(context, plan.history);
}

}  // namespace holdfast::cli
