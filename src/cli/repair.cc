#include "flow/repair.h"

#include <fmt/core.h>

#include "cli/commands.h"
#include "cli/finding_view.h"
#include "cli/progress.h"
#include "cli/wire.h"
#include "flow/lost.h"
#include "flow/rebuild_index.h"

namespace holdfast::cli {

void declare(Syntax& syntax, RepairOptions& options) {
  Argument& what =
      syntax.argument("WHAT", &options.what,
                      "packs: write what is damaged anew, and list what is lost, for backups to store it "
                      "again; index: make this machine's index and caches anew; snapshots: say "
                      "which bytes of which files stay lost");
  what.required = true;
  what.choices = {"packs", "index", "snapshots"};
  syntax.argument("PACK", &options.ids, "with packs: these only, as the check names them; else all");
  syntax.option("--from", "REPOSITORY", &options.from,
                "with packs: a verbatim copy of the repository, for what parity can't replace");
  syntax.flag("-n,--dry-run", &options.dry_run, "only say what would be done");
}

namespace {

std::string step_json(const char* type, const flow::RepairPlan::Step& step) {
  JsonObject object;
  object.add("message_type", type).add("action", flow::word(step.action)).add("object", step.object);
  return object.add("from_replica", step.from_replica)
      .add("bytes", step.bytes)
      .add("reason", step.why)
      .text();
}

std::string step_text(const char* verb, const flow::RepairPlan::Step& step) {
  return fmt::format("{} {} {}{}: {}", verb, flow::word(step.action), step.object,
                     step.from_replica ? " from the replica" : "", step.why);
}

// A small object with one whole copy is readable; it is never overwritten, so it stays as it is.
std::string finding_text(const flow::Finding& finding) {
  const char* remark =
      finding.severity == flow::Severity::warning ? " (it stays readable, and as it is)" : "";
  return fmt::format("{} {}: {}{}", flow::word(finding.severity), finding.object, finding.text, remark);
}

void tell_findings(Context& context, const std::vector<flow::Finding>& findings) {
  for (const flow::Finding& finding : findings)
    context.out.line(context.global.json ? finding_json(finding, "stays") : printable(finding_text(finding)));
}

std::string pack_summary(const Context& context, const flow::RepairReport& report, bool dry_run) {
  const std::uint64_t damaged = report.plan.count(flow::Severity::damaged);
  const std::uint64_t unreachable = report.plan.count(flow::Severity::unreachable);
  const std::uint64_t wanted = dry_run ? flow::count_slots(report.plan.lost) : report.wanted;
  const std::uint64_t found = dry_run ? flow::count_slots(report.plan.found) : report.found;
  const std::size_t mended = dry_run ? report.plan.steps.size() : report.done.size();
  if (context.global.json) {
    JsonObject object;
    object.add("message_type", "summary").add("dry_run", dry_run).add("packs", report.plan.packs);
    object.add("bytes_read", report.plan.bytes_read)
        .add("repaired", mended)
        .add("failed", report.failed.size());
    object.add("wanted", wanted).add("found", found);
    return object.add("stay_damaged", damaged).add("unreachable", unreachable).text();
  }
  std::string out = fmt::format("{} looked at ({}): {} {}", counted(report.plan.packs, "pack"),
                                size_text(report.plan.bytes_read), counted(mended, "object"),
                                dry_run ? "would be repaired" : "repaired");
  if (!report.failed.empty()) out += fmt::format(", {} could not be", report.failed.size());
  if (wanted > 0)
    out += fmt::format(", {} {} on the wanted list", counted(wanted, "lost chunk"),
                       dry_run ? "would be put" : "put");
  if (found > 0)
    out += fmt::format(", {} {} off it", counted(found, "chunk"), dry_run ? "would be taken" : "taken");
  if (damaged > 0) out += fmt::format(", {} DAMAGED still", counted(damaged, "object"));
  if (unreachable > 0) out += fmt::format(", {} could not be reached", counted(unreachable, "object"));
  return out;
}

Result<int> repair_packs(Context& context, const RepairOptions& options, Progress& progress) {
  flow::RepairOptions how;
  for (const std::string& text : options.ids) {
    auto id = repo::parse_pack_id(text);
    if (const auto object = repo::parse_pack_name(text)) id = object->id;
    if (!id) return Error(Errc::usage, fmt::format("'{}' is no pack", printable(text)));
    how.packs.push_back(*id);
  }
  std::unique_ptr<storage::Storage> replica;
  if (!options.from.empty()) {
    replica = TRY_AS(
        open_storage(context.global, context.environment, options.from, storage::IfMissing::fail), "--from");
    how.replica = replica.get();
  }
  const Session session = TRY(open_session(context, {repo::Right::index, repo::Right::log}));
  flow::RepairReport report;
  if (options.dry_run) {
    report.plan = TRY(flow::plan_repair(*session.repository, how, progress, context.stop));
  } else {
    report = TRY(flow::repair(*session.repository, how, progress, context.stop));
  }
  progress.finish();
  const auto& steps = options.dry_run ? report.plan.steps : report.done;
  for (const auto& step : steps) {
    context.out.line(context.global.json ? step_json(options.dry_run ? "would_repair" : "repaired", step)
                                         : step_text(options.dry_run ? "would" : "did", step));
  }
  tell_findings(context, report.plan.stays);
  if (context.global.json || !context.global.quiet)
    context.out.line(pack_summary(context, report, options.dry_run));
  return report.exit_code();
}

Result<int> repair_index(Context& context, const RepairOptions& options, Progress& progress) {
  const Session session = TRY(open_session(context, {repo::Right::deduplicate, repo::Right::index}));
  const flow::IndexReport report =
      TRY(flow::rebuild_index(*session.repository, *session.local, options.dry_run, progress, context.stop));
  progress.finish();
  if (context.global.json) {
    JsonObject object;
    object.add("message_type", "summary").add("dry_run", options.dry_run);
    object.add("files_removed", report.files_removed).add("bytes_removed", report.bytes_removed);
    object.add("transactions", report.transactions).add("chunks", report.chunks);
    context.out.line(object.add("unreadable", report.unreadable).text());
  } else if (!context.global.quiet) {
    const char* would = options.dry_run ? "would remove" : "removed";
    context.out.line(fmt::format("{} {} of this machine's cache ({})", would,
                                 counted(report.files_removed, "file"), size_text(report.bytes_removed)));
    if (!options.dry_run)
      context.out.line(fmt::format("the index now has {} of {}", counted(report.chunks, "chunk"),
                                   counted(report.transactions, "transaction")));
  }
  return report.unreadable > 0 ? exit_code(Errc::partial) : 0;
}

std::string lost_json(const flow::LostFile& file) {
  std::vector<std::string> ranges;
  for (const flow::LostRange& range : file.ranges)
    ranges.push_back(JsonObject().add("from", range.from).add("to", range.to).text());
  JsonObject object;
  object.add("message_type", "lost").add("snapshot_id", file.snapshot).add("path", "/" + file.path);
  return object.add("size", file.size_bytes).raw("ranges", json_array(ranges)).text();
}

std::string lost_text(const flow::LostFile& file) {
  std::string ranges;
  for (const flow::LostRange& range : file.ranges)
    ranges += fmt::format("{}[{}, {})", ranges.empty() ? "" : " ", range.from, range.to);
  return fmt::format("{} /{}: lost {} of {} bytes", file.snapshot.substr(0, 8), printable(file.path), ranges,
                     file.size_bytes);
}

std::string names_json(const flow::LostNames& names) {
  JsonObject object;
  object.add("message_type", "lost_names").add("snapshot_id", names.snapshot);
  return object.add("after", names.after).add("before", names.before).text();
}

std::string names_text(const flow::LostNames& names) {
  return fmt::format("{} what was there after /{}{} is lost, names too", names.snapshot.substr(0, 8),
                     printable(names.after),
                     names.before.empty() ? "" : " and before /" + printable(names.before));
}

Result<int> repair_snapshots(Context& context, Progress& progress) {
  const Session session = TRY(open_session(context, kReading));
  const flow::LostReport report = TRY(flow::find_lost(*session.repository, 0, progress, context.stop));
  progress.finish();
  const bool json = context.global.json;
  for (const flow::LostFile& file : report.files) context.out.line(json ? lost_json(file) : lost_text(file));
  for (const flow::LostNames& names : report.names)
    context.out.line(json ? names_json(names) : names_text(names));
  tell_findings(context, report.unreadable);
  tell_findings(context, report.unreachable);
  if (json) {
    JsonObject object;
    object.add("message_type", "summary").add("snapshots", report.snapshots);
    object.add("damaged_snapshots", report.damaged_snapshots).add("lost_files", report.files.size());
    object.add("lost_bytes", report.lost_bytes()).add("lost_names", report.names.size());
    context.out.line(object.add("num_unreachable", report.unreachable.size()).text());
  } else if (!context.global.quiet) {
    context.out.line(fmt::format(
        "{} looked at: {}", counted(report.snapshots, "snapshot"),
        report.anything()            ? fmt::format("{} bytes of {} stay lost", report.lost_bytes(),
                                                   counted(report.files.size(), "file"))
        : report.unreachable.empty() ? "nothing is lost"
                                     : fmt::format("nothing is known to be lost, {} could not be reached",
                                                   counted(report.unreachable.size(), "object"))));
  }
  return report.exit_code();
}

}  // namespace

Result<int> run(Context& context, const RepairOptions& options) {
  if (options.what != "packs" && (!options.ids.empty() || !options.from.empty()))
    return Error(Errc::usage, "PACK and --from go with `repair packs`");
  ProgressOptions show = TRY(progress_options(context));
  Progress progress(std::move(show), system_clock(), context.out, context.signals);
  if (options.what == "packs") return repair_packs(context, options, progress);
  if (options.what == "index") return repair_index(context, options, progress);
  return repair_snapshots(context, progress);
}

}  // namespace holdfast::cli
