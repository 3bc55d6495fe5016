#include "flow/prune.h"

#include <fmt/core.h>

#include <charconv>

#include "cli/commands.h"
#include "cli/json.h"
#include "cli/progress.h"
#include "cli/prune_run.h"
#include "cli/wire.h"
#include "model/duration.h"

namespace holdfast::cli {

void declare(Syntax& syntax, PruneOptions& options) {
  syntax.option("--max-unused", "PERCENT", &options.max_unused,
                "leave packs alone while no more than this of the repository is dead within them; default 2, "
                "or unlimited");
  syntax.flag("--dead-packs-only", &options.dead_packs_only,
              "remove packs that are dead altogether, copy none");
  syntax.option("--abort-after", "TIME", &options.abort_after,
                "take unfinished backups that began longer ago for crashed; default 1d, 0h means all");
  syntax.option("--wait", "SECONDS", &options.wait_s, "how long to wait for younger ones to end; default 60");
  syntax.flag("--confirm-only", &options.confirm_only,
              "remove nothing: only walk the trees of snapshots that were never walked, which must be done "
              "once by a key that may read, before a key of the role maint can prune");
  syntax.flag("-n,--dry-run", &options.dry_run, "only say what would be done");
}

namespace {

Result<double> percent_of(std::string text) {
  if (text == "unlimited") return 100.0;
  if (text.ends_with('%')) text.pop_back();
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc() && at == end && value >= 0 && value <= 100) return value;
  return Error(Errc::usage, fmt::format("--max-unused: '{}' is not a percentage", text));
}

Result<flow::PruneOptions> flow_options(const PruneOptions& given) {
  flow::PruneOptions options;
  if (!given.max_unused.empty()) options.max_unused_percent = TRY(percent_of(given.max_unused));
  options.confirm_only = given.confirm_only;
  options.dead_packs_only = given.dead_packs_only || given.max_unused == "unlimited";
  if (!given.abort_after.empty()) {
    const model::Duration after = TRY_AS(model::parse_duration(given.abort_after), "--abort-after");
    const std::int64_t now = system_clock().now_ns() / std::int64_t{1'000'000'000};
    options.abort_open_after_s =
        static_cast<std::uint64_t>(now - model::instant_before(model::local_time(now), after));
  }
  if (given.wait_s) options.wait_ms = *given.wait_s * 1000;
  return options;
}

std::string plan_json(const flow::PrunePlan& plan) {
  JsonObject object;
  object.add("message_type", "plan").add("snapshots", plan.snapshots).add("packs", plan.packs);
  object.add("bytes_total", plan.bytes_total).add("bytes_live", plan.bytes_live);
  object.add("bytes_unused", plan.bytes_unused).add("bytes_to_copy", plan.bytes_to_copy);
  object.add("bytes_freed", plan.bytes_freed).add("missing_packs", plan.missing);
  return object.add("running", plan.running.size()).add("to_abort", plan.to_abort.size()).text();
}

std::string report_json(const flow::PruneReport& report) {
  JsonObject object;
  object.add("message_type", "summary").add("deleted_packs", report.deleted_packs);
  object.add("confirmed_snapshots", report.confirmed)
      .add("relocated_packs", report.relocated_packs)
      .add("deleted_transactions", report.deleted_transactions);
  object.add("bytes_removed", report.bytes_removed).add("bytes_copied", report.bytes_copied);
  object.add("bytes_freed", report.bytes_freed()).add("objects_left", report.objects_left);
  return object.add("blocked_by", report.blocked_by.size()).add("error_count", report.problems).text();
}

std::string report_text(const flow::PruneReport& report) {
  std::string out = fmt::format("removed {}, copied {}: {} freed\n", counted(report.deleted_packs, "pack"),
                                report.relocated_packs, size_text(report.bytes_freed()));
  if (!report.blocked_by.empty()) {
    out += fmt::format("nothing more was deleted: {} still running; the next prune goes on\n",
                       counted(report.blocked_by.size(), "backup"));
  }
  if (report.objects_left > 0)
    out += fmt::format("{} could not be removed yet\n", counted(report.objects_left, "object"));
  return out;
}

}  // namespace

Result<int> run_prune(Context& context, const repo::Repository& repository, const flow::PruneOptions& options,
                      bool dry_run) {
  if (dry_run) {
    const flow::PrunePlan plan = TRY(flow::plan_prune(repository, options, context.stop));
    context.global.json ? context.out.line(plan_json(plan)) : context.out.write(flow::describe(plan));
    return 0;
  }
  ProgressOptions show = TRY(progress_options(context));
  Progress progress(std::move(show), system_clock(), context.out, context.signals);
  const flow::PruneReport report = TRY(flow::prune(repository, options, progress, context.stop));
  progress.finish();
  if (options.confirm_only && !context.global.json) {
    context.out.line(fmt::format("walked the trees of {}", counted(report.confirmed, "snapshot")));
  } else if (context.global.json) {
    context.out.line(report_json(report));
  } else if (!context.global.quiet) {
    context.out.write(report_text(report));
  }
  return report.partial() ? exit_code(Errc::partial) : 0;
}

Result<int> run(Context& context, const PruneOptions& options) {
  const flow::PruneOptions how = TRY(flow_options(options));
  const Session session = TRY(open_session(context, {repo::Right::index, repo::Right::log}));
  return run_prune(context, *session.repository, how, options.dry_run);
}

}  // namespace holdfast::cli
