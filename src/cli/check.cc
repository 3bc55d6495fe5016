#include "flow/check.h"

#include <fmt/core.h>

#include "cli/backup_input.h"
#include "cli/commands.h"
#include "cli/finding_view.h"
#include "cli/progress.h"
#include "cli/snapshot_view.h"
#include "cli/wire.h"

namespace holdfast::cli {

void declare(Syntax& syntax, CheckOptions& options) {
  syntax.argument("SNAPSHOT", &options.snapshots,
                  "only packs and trees of these: an id or its beginning, latest, latest~2; default: all");
  declare_filter(syntax, options.filter);
  syntax.flag("--quick", &options.quick, "only commits, manifests and the log, and that packs are there");
  syntax.flag("--read-data", &options.read_data, "read and verify every byte");
  syntax.option("--read-data-subset", "PART", &options.read_data_subset,
                "read and verify a part: 5% of the packs, packs of 10G in all, or the third of seven parts "
                "as 3/7");
  syntax.option(
      "--max-duration", "DURATION", &options.max_duration,
      "read and verify packs for so long (90s, 10m, 2h), those that were verified longest ago first");
  syntax.flag("--without-key", &options.without_key,
              "verify what can be without a password: every pack against its own table");
  syntax.flag(
      "--accept-history", &options.accept_history,
      "take the repository as it is for what this machine has seen, where it shows an older or another "
      "history: only once you know why");
}

namespace {

Result<flow::CheckPart> part_of(const std::string& text) {
  if (text.empty() || text.find_first_of("%/") != text.npos) return flow::parse_check_part(text);
  flow::CheckPart part;
  part.bytes = TRY(parse_size(text));
  if (part.bytes == 0) return Error(Errc::usage, "that is no part of the repository");
  return part;
}

// Some snapshots only.
bool chooses(const CheckOptions& options) {
  const FilterOptions& filter = options.filter;
  return !options.snapshots.empty() || !filter.hosts.empty() || !filter.paths.empty() || !filter.tags.empty();
}

Result<flow::CheckSpec> spec_of(const CheckOptions& options) {
  const int given = int{options.quick} + int{options.read_data} + int{!options.read_data_subset.empty()};
  if (given > 1) return Error(Errc::usage, "--quick, --read-data and --read-data-subset exclude each other");
  flow::CheckSpec spec;
  spec.accept_history = options.accept_history;
  if (chooses(options) && (options.quick || options.without_key)) {
    return Error(Errc::usage, "SNAPSHOT, --host, --path and --tag go with neither --quick nor --without-key");
  }
  if (!options.max_duration.empty()) {
    if (options.quick || options.without_key || !options.read_data_subset.empty()) {
      return Error(Errc::usage,
                   "--max-duration goes with neither --quick, --read-data-subset nor --without-key");
    }
    const std::uint64_t seconds = TRY_AS(parse_interval(options.max_duration), "--max-duration");
    if (seconds == 0) return Error(Errc::usage, "--max-duration leaves no time");
    spec.max_duration_ns = static_cast<std::int64_t>(seconds) * 1'000'000'000;
  }
  if (options.quick) spec.level = flow::CheckLevel::quick;
  if (options.read_data || !options.read_data_subset.empty()) spec.level = flow::CheckLevel::full;
  if (!options.read_data_subset.empty()) {
    spec.part = TRY_AS(part_of(options.read_data_subset), "--read-data-subset");
  }
  return spec;
}

Result<flow::CheckReport> perform(Context& context, const CheckOptions& options, const flow::CheckSpec& spec,
                                  Progress& progress) {
  if (options.without_key) {
    const std::string location = TRY(location_of(choice_of(context.global), context.environment));
    const auto storage =
        TRY(open_storage(context.global, context.environment, location, storage::IfMissing::fail));
    return flow::scrub(*storage, system_random(), spec, progress, context.stop);
  }
  const Session session = TRY(open_session(context, {}));
  flow::CheckSpec chosen = spec;
  if (chooses(options)) {
    const auto list = TRY(flow::SnapshotList::readable(*session.repository, context.stop));
    const auto picked = TRY(list.pick_all(options.snapshots, filter_of(options.filter)));
    if (picked.empty()) return Error(Errc::not_found, "there is no such snapshot");
    for (const repo::Snapshot* snapshot : picked) chosen.only.insert(snapshot->commit.transaction);
  }
  if (session.repository->secrets().rights() == 0) {  // of the role audit
    return flow::scrub(*session.storage, system_random(), spec, progress, context.stop);
  }
  repo::Ledger ledger = repo::Ledger::open(*session.local, system_random(), system_clock());
  if (!session.local->directory().empty()) chosen.ledger = &ledger;
  return flow::check(*session.repository, chosen, progress, context.stop);
}

std::string freshness_json(const flow::Freshness& fresh) {
  const auto amount = [](const flow::Freshness::Amount& a) {
    return JsonObject().add("packs", a.packs).add("bytes", a.bytes).text();
  };
  JsonObject object;
  object.raw("within_30_days", amount(fresh.within_30_days));
  object.raw("30_to_90_days", amount(fresh.from_30_to_90_days));
  return object.raw("longer_ago", amount(fresh.longer_ago)).raw("never", amount(fresh.never)).text();
}

std::string freshness_text(const flow::Freshness& fresh) {
  const std::uint64_t all = fresh.within_30_days.packs + fresh.from_30_to_90_days.packs +
                            fresh.longer_ago.packs + fresh.never.packs;
  if (fresh.within_30_days.packs == all) return "every pack was verified in full within 30 days\n";
  std::string out =
      fmt::format("verified in full within 30 days: {}", counted(fresh.within_30_days.packs, "pack"));
  if (fresh.from_30_to_90_days.packs > 0)
    out += fmt::format("; 30 to 90 days ago: {}", fresh.from_30_to_90_days.packs);
  if (fresh.longer_ago.packs > 0) out += fmt::format("; longer ago: {}", fresh.longer_ago.packs);
  if (fresh.never.packs > 0)
    out += fmt::format("; never: {} ({}), not checked", fresh.never.packs, size_text(fresh.never.bytes));
  return out + "\n";
}

std::string summary_json(const flow::CheckReport& report, bool some_only) {
  std::vector<std::string> packs;
  for (const flow::Finding& finding : report.findings) {
    if (finding.kind == "pack" && finding.severity == flow::Severity::damaged)
      packs.push_back(finding.object);
  }
  JsonObject object;
  object.add("message_type", "summary").add("num_errors", report.count(flow::Severity::damaged));
  object.add("num_unreachable", report.count(flow::Severity::unreachable));
  object.add("num_warnings", report.count(flow::Severity::warning)).add("broken_packs", packs);
  object.add("snapshots", report.snapshots)
      .add("packs", report.packs)
      .add("packs_opened", report.packs_opened);
  object.add("packs_read", report.packs_read)
      .add("bytes_read", report.bytes_read)
      .add("entries", report.entries);
  object.add("packs_not_checked", report.packs_not_read()).add("out_of_time", report.out_of_time);
  object.add("trees_checked", report.trees_checked).add("chosen_snapshots_only", some_only);
  if (report.freshness) object.raw("verified", freshness_json(*report.freshness));
  object.add("leftovers", report.leftovers).add("leftover_bytes", report.leftover_bytes);
  object.add("suggest_repair_index", false).add("suggest_prune", report.leftovers > 0);
  return object.raw("findings", findings_json(report.findings)).text();
}

std::string summary_text(const flow::CheckReport& report, bool some_only) {
  std::string out = fmt::format("{}, {}, {} of trees looked at\n", counted(report.snapshots, "snapshot"),
                                counted(report.packs, "pack"),
                                report.entries == 1 ? "1 entry" : fmt::format("{} entries", report.entries));
  if (report.packs_not_read() > 0) {
    out += fmt::format("{} of {} read in full, {} not checked{}\n", report.packs_read,
                       counted(report.packs, "pack"), report.packs_not_read(),
                       report.out_of_time ? ": the time was over; the next run goes on with them"
                                          : "; use --read-data for all");
  } else {
    out += fmt::format("every pack read in full: {}\n", size_text(report.bytes_read));
  }
  if (report.out_of_time) out += "trees not checked\n";
  if (some_only) out += "packs and trees that only other snapshots need were not checked\n";
  if (report.freshness) out += freshness_text(*report.freshness);
  if (report.leftovers > 0) {
    out += fmt::format("{} that nothing needs ({}); prune removes them\n", counted(report.leftovers, "pack"),
                       size_text(report.leftover_bytes));
  }
  const std::uint64_t damaged = report.count(flow::Severity::damaged);
  const std::uint64_t unreachable = report.count(flow::Severity::unreachable);
  const std::uint64_t warnings = report.count(flow::Severity::warning);
  if (warnings > 0)
    out += fmt::format("{}: a spare copy is damaged, nothing is lost\n", counted(warnings, "warning"));
  if (unreachable > 0)
    out += fmt::format("{} could not be reached: nothing is known of them\n", counted(unreachable, "object"));
  if (damaged > 0) return out + fmt::format("{} DAMAGED\n", counted(damaged, "object"));
  return out + (unreachable > 0 ? "no damage found in the rest\n" : "no damage found\n");
}

}  // namespace

Result<int> run(Context& context, const CheckOptions& options) {
  const flow::CheckSpec spec = TRY(spec_of(options));
  ProgressOptions show = TRY(progress_options(context));
  Progress progress(std::move(show), system_clock(), context.out, context.signals);
  const flow::CheckReport report = TRY(perform(context, options, spec, progress));
  progress.finish();
  if (context.global.json) {
    context.out.line(summary_json(report, chooses(options)));
  } else if (!context.global.quiet) {
    context.out.write(summary_text(report, chooses(options)));
  }
  return report.exit_code();
}

}  // namespace holdfast::cli
