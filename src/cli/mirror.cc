#include "flow/mirror.h"

#include <fmt/core.h>

#include "cli/commands.h"
#include "cli/finding_view.h"
#include "cli/progress.h"
#include "cli/wire.h"
#include "storage/memory.h"

namespace holdfast::cli {

void declare(Syntax& syntax, MirrorOptions& options) {
  syntax.option("--to", "REPOSITORY", &options.to, "where the copy is, or is to be: /path or local:/path");
  syntax.flag("--verify", &options.verify, "read and compare what is there already, too");
  syntax.flag("--delete", &options.remove,
              "remove what a prune of the repository has removed; needs the password");
  syntax.flag("-n,--dry-run", &options.dry_run, "only say what would be done");
}

namespace {

constexpr std::size_t kNamesShown = 10;

std::string summary_json(const flow::MirrorReport& report, const flow::MirrorRemovals& removals,
                         const MirrorOptions& options) {
  JsonObject object;
  object.add("message_type", "summary").add("dry_run", options.dry_run).add("objects", report.objects);
  object.add("objects_there", report.there)
      .add("objects_copied", report.copied)
      .add("bytes_copied", report.copied_bytes);
  object.add("objects_verified", report.verified).add("objects_not_copied", report.not_copied);
  object.add("objects_vanished", report.vanished).add("passes", report.passes);
  object.add("only_in_target", report.only_in_target)
      .add("objects_removed", removals.objects)
      .add("bytes_removed", removals.bytes)
      .add("unexplained", removals.unexplained);
  object.add("secrets_destroyed", report.secrets_destroyed).add("secrets_left", report.secrets_left);
  return object.raw("findings", findings_json(report.findings)).text();
}

std::string names_text(const std::vector<std::string>& names) {
  std::vector<std::string> shown(
      names.begin(), names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), kNamesShown)));
  if (shown.size() < names.size()) shown.emplace_back("…");
  return joined(shown, ", ");
}

std::string summary_text(const flow::MirrorReport& report, const flow::MirrorRemovals& removals,
                         const MirrorOptions& options) {
  std::string out = fmt::format(
      "{} {} of {} ({}), {} there already\n", options.dry_run ? "would copy" : "copied", report.copied,
      counted(report.objects, "object"), size_text(report.copied_bytes), report.there);
  if (options.verify)
    out += fmt::format("{} verified against the source\n", counted(report.verified, "object"));
  if (report.secrets_destroyed > 0) {
    out += fmt::format("{} {} of key domains that were erased\n",
                       options.dry_run ? "would destroy" : "destroyed",
                       counted(report.secrets_destroyed, "secret"));
  }
  if (report.vanished > 0)
    out += fmt::format("{} removed from the source meanwhile\n", counted(report.vanished, "object"));
  if (removals.objects > 0) {
    out += fmt::format("{} {} that the log says are deleted ({})\n",
                       options.dry_run ? "would remove" : "removed", counted(removals.objects, "object"),
                       size_text(removals.bytes));
  }
  if (options.remove && !removals.unexplained.empty()) {
    out += fmt::format("only in the copy, kept because the log does not say that they are deleted: {}\n",
                       names_text(removals.unexplained));
  } else if (!options.remove && !report.only_in_target.empty()) {
    out += fmt::format("{} only in the copy; --delete removes those that a prune has removed\n",
                       counted(report.only_in_target.size(), "object"));
  }
  const auto damaged =
      std::count_if(report.findings.begin(), report.findings.end(),
                    [](const flow::Finding& f) { return f.severity == flow::Severity::damaged; });
  if (damaged > 0) {
    out += fmt::format("{} DAMAGED: see above; `holdfast check` on either side tells more\n",
                       counted(static_cast<std::uint64_t>(damaged), "object"));
  }
  return out;
}

Result<std::unique_ptr<storage::Storage>> open_target(Context& context, const MirrorOptions& options) {
  const auto if_missing = options.dry_run ? storage::IfMissing::fail : storage::IfMissing::create;
  auto opened = open_storage(context.global, context.environment, options.to, if_missing);
  if (!opened.ok() && options.dry_run && opened.error().kind() == Errc::no_repository)
    return storage::open_memory();
  return opened;
}

Result<flow::MirrorRemovals> remove_deleted(Context& context, const MirrorOptions& options,
                                            storage::Storage& from, storage::Storage& to,
                                            Progress& progress) {
  const auto config = to.stat(repo::kConfigName, context.stop);
  if (options.dry_run && !config.ok() && config.error().kind() == Errc::not_found)
    return flow::MirrorRemovals{};
  const auto target = TRY_AS(open_repository(context, choice_of(context.global), options.to, to), "the copy");
  return flow::mirror_removals(*target, from, options.dry_run, progress, context.stop);
}

}  // namespace

Result<int> run(Context& context, const MirrorOptions& options) {
  if (options.to.empty()) {
    return Error(Errc::usage, "no place named to mirror to").hint("use --to REPOSITORY");
  }
  const std::string location = TRY(location_of(choice_of(context.global), context.environment));
  const auto from =
      TRY(open_storage(context.global, context.environment, location, storage::IfMissing::fail));
  const auto to = TRY_AS(open_target(context, options), "the copy");
  ProgressOptions show = TRY(progress_options(context));
  Progress progress(std::move(show), system_clock(), context.out, context.signals);
  flow::MirrorSpec spec;
  spec.verify = options.verify;
  spec.dry_run = options.dry_run;
  const flow::MirrorReport report = TRY(flow::mirror(*from, *to, spec, progress, context.stop));
  flow::MirrorRemovals removals;
  const bool whole = report.exit_code() == 0;
  if (options.remove && whole) removals = TRY(remove_deleted(context, options, *from, *to, progress));
  progress.finish();
  if (context.global.json) {
    context.out.line(summary_json(report, removals, options));
  } else if (!context.global.quiet) {
    context.out.write(summary_text(report, removals, options));
  }
  if (options.remove && !whole)
    fmt::print(stderr, "holdfast: nothing was removed from the copy, since not all of it is as it must be\n");
  if (!whole) return report.exit_code();
  // Keys that were removed at the source stay in the copy: its log says nothing of them.
  const bool explained =
      std::all_of(removals.unexplained.begin(), removals.unexplained.end(),
                  [](const std::string& name) { return name.starts_with(repo::kKeyPrefix); });
  return explained && report.secrets_left.empty() ? 0 : exit_code(Errc::partial);
}

}  // namespace holdfast::cli
