#include "flow/rewrite.h"

#include <fmt/core.h>

#include "cli/backup_input.h"
#include "cli/commands.h"
#include "cli/path_lists.h"
#include "cli/progress.h"
#include "cli/snapshot_view.h"
#include "cli/wire.h"
#include "flow/forget.h"

namespace holdfast::cli {

void declare(Syntax& syntax, RewriteOptions& options) {
  syntax.argument("SNAPSHOT", &options.ids, "these; else all that the filters let through");
  const auto pattern = [&](const char* names, const char* value, const char* help) {
    syntax.option(names, value, &options.patterns, help).with_name = true;
  };
  pattern("-e,--exclude", "PATTERN", "without what matches, as in backup");
  pattern("--iexclude", "PATTERN", "the same, ignoring case");
  pattern("--include", "PATTERN", "take back what an earlier pattern left out");
  pattern("--exclude-file", "FILE", "patterns from a file, one a line");
  pattern("--iexclude-file", "FILE", "the same, ignoring case");
  syntax.option("--new-host", "HOST", &options.new_host, "another machine's name");
  syntax.option("--new-time", "TIME", &options.new_time, "another time: \"2026-08-01 12:34:56\"");
  syntax.option("--new-tags", "TAG[,TAG]", &options.new_tags,
                "these tags instead of all others; '' means none");
  declare_filter(syntax, options.filter);
  syntax.flag("--forget", &options.forget, "forget the snapshots that were rewritten");
  syntax.flag("-n,--dry-run", &options.dry_run, "only say what would be done");
}

namespace {

Result<flow::RewriteSpec> spec_of(const RewriteOptions& options) {
  flow::RewriteSpec spec;
  spec.exclude = TRY(rules_of(options.patterns));
  spec.exclude_texts = TRY(pattern_texts(options.patterns));
  if (!options.new_host.empty()) spec.host = options.new_host;
  if (!options.new_time.empty()) spec.time = TRY_AS(parse_time(options.new_time), "--new-time");
  if (!options.new_tags.empty()) {
    spec.tags.emplace();
    for (const std::string& list : options.new_tags) {
      for (const std::string& tag : model::parse_tag_list(list)) {
        if (!tag.empty()) spec.tags->push_back(tag);
      }
    }
  }
  spec.dry_run = options.dry_run;
  if (spec.exclude.empty() && !spec.host && !spec.time && !spec.tags) {
    return Error(Errc::usage, "nothing to do: give --exclude, --new-host, --new-time or --new-tags");
  }
  return spec;
}

void tell(Context& context, const flow::Rewritten& rewritten, const RewriteOptions& options) {
  if (context.global.json) {
    JsonObject object;
    object.add("message_type", "rewritten").add("source_snapshot", rewritten.from);
    object.add("snapshot_id", rewritten.to).add("changed", rewritten.changed).add("dry_run", options.dry_run);
    object.add("removed_entries", rewritten.removed_entries).add("removed_bytes", rewritten.removed_bytes);
    context.out.line(object.add("data_added_packed", rewritten.stored_bytes)
                         .add("forgotten", rewritten.changed && options.forget && !options.dry_run)
                         .text());
    return;
  }
  if (context.global.quiet) return;
  const std::string from = rewritten.from.substr(0, 8);
  if (!rewritten.changed) {
    context.out.line(fmt::format("snapshot {}: nothing to change", from));
    return;
  }
  const std::string less = fmt::format(
      "without {} ({})",
      rewritten.removed_entries == 1 ? "1 entry" : fmt::format("{} entries", rewritten.removed_entries),
      size_text(rewritten.removed_bytes));
  if (options.dry_run) {
    context.out.line(fmt::format("would rewrite snapshot {} {}", from, less));
  } else {
    context.out.line(fmt::format("rewrote snapshot {} as {}, {}{}", from, rewritten.to.substr(0, 8), less,
                                 options.forget ? "; the old one is forgotten" : ""));
  }
}

}  // namespace

Result<int> run(Context& context, const RewriteOptions& options) {
  const flow::RewriteSpec spec = TRY(spec_of(options));
  ProgressOptions show = TRY(progress_options(context));
  const Session session = TRY(open_session(
      context, {repo::Right::deduplicate, repo::Right::index, repo::Right::read, repo::Right::commit}));
  const flow::SnapshotList list = TRY(flow::SnapshotList::read(*session.repository, context.stop));
  auto picked = TRY(list.pick_all(options.ids, filter_of(options.filter)));
  std::reverse(picked.begin(), picked.end());
  Progress progress(std::move(show), system_clock(), context.out, context.signals);
  for (const repo::Snapshot* snapshot : picked) {
    const auto local = TRY(local_of_domain(context, session, snapshot->commit.domain));
    const flow::Rewritten rewritten =
        TRY_AS(flow::rewrite(*session.repository, *snapshot, spec, *local, progress, context.stop),
               "rewriting snapshot " + snapshot->id.substr(0, 8));
    if (rewritten.changed && options.forget && !options.dry_run) {
      flow::ForgetSpec forget;
      forget.ids = {snapshot->id};
      TRY(flow::forget(*session.repository, forget, context.stop));
    }
    tell(context, rewritten, options);
  }
  progress.finish();
  return warn_unreadable(context, list.history());
}

}  // namespace holdfast::cli
