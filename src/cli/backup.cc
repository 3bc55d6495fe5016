#include "flow/backup.h"

#include <fmt/core.h>

#include "cli/backup_input.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/snapshot_view.h"
#include "cli/wire.h"
#include "flow/meter.h"

namespace holdfast::cli {

void declare_filters(Syntax& syntax, BackupOptions& options) {
  const auto pattern = [&](const char* names, const char* value, const char* help) {
    syntax.option(names, value, &options.patterns, help).with_name = true;
  };
  pattern("-e,--exclude", "PATTERN",
          "leave out what matches, as in .gitignore; the last pattern that matches decides");
  pattern("--iexclude", "PATTERN", "the same, ignoring case");
  pattern("--include", "PATTERN", "take back what an earlier pattern left out");
  pattern("--exclude-file", "FILE", "patterns from a file, one a line");
  pattern("--iexclude-file", "FILE", "the same, ignoring case");
  syntax.flag("--no-ignore-files", &options.no_ignore_files, "don't follow .holdfastignore files");
  syntax.flag("--exclude-caches", &options.exclude_caches,
              "leave out folders that CACHEDIR.TAG marks as caches");
  syntax.flag("--exclude-nodump", &options.exclude_nodump, "leave out what has the flag d of chattr(1)");
  syntax.option("--exclude-if-present", "FILE[:HEADER]", &options.exclude_if_present,
                "leave out folders that hold this file, beginning with HEADER");
  syntax.option("--exclude-larger-than", "SIZE", &options.exclude_larger_than,
                "leave out larger files; 10M, 2G");
  syntax.flag("-x,--one-file-system", &options.one_file_system,
              "stay on the file systems of the given paths");
}

namespace {

void declare_inputs(Syntax& syntax, BackupOptions& options) {
  syntax.argument("PATH", &options.paths,
                  "files and folders; with --stdin-from-command: the command and its arguments");
  syntax.option("--files-from", "FILE", &options.files_from,
                "paths from a file (- is standard input), with wildcards");
  syntax.option("--files-from-verbatim", "FILE", &options.files_from_verbatim,
                "paths from a file, one a line");
  syntax.option("--files-from-raw", "FILE", &options.files_from_raw,
                "paths from a file, each ended by a NUL byte");
  syntax.flag("--stdin", &options.from_stdin, "back up the standard input as one file");
  syntax.flag("--stdin-from-command", &options.from_command,
              "back up what a command writes, as one file; no snapshot is made if it fails");
  syntax.option("--stdin-filename", "NAME", &options.stdin_filename, "the name of that file; default: stdin");
}

}  // namespace

void declare(Syntax& syntax, BackupOptions& options) {
  declare_inputs(syntax, options);
  declare_filters(syntax, options);
  syntax.option("--tag", "TAG[,TAG]", &options.tags, "tags of the snapshot");
  syntax.option("--domain", "NAME", &options.domain,
                "store it in this key domain, which can be erased as a whole later; see key domain");
  syntax.option("-H,--host", "HOST", &options.host, "the machine's name in the snapshot");
  syntax.option("--time", "TIME", &options.time,
                "the snapshot's time instead of now: \"2026-08-01 12:34:56\"");
  syntax.flag("--incremental", &options.incremental,
              "look only at what changed since the last snapshot; the default");
  syntax.flag("--differential", &options.differential, "look at what changed since the last --full");
  syntax.flag("--full", &options.full, "read every file again");
  syntax.flag("-f,--force", &options.force, "the same as --full");
  syntax.option("--compression", "MODE", &options.compression,
                "auto, off, fastest, max, or zstd:N with N from 1 to 22");
  syntax.option("--read-concurrency", "N", &options.read_concurrency, "how many files are read at once");
  syntax.option("--checkpoint-interval", "DURATION", &options.checkpoint_interval,
                "how often a long run makes sure of what it has stored so far: 90s, 15m (the default), 2h; "
                "off: never");
  syntax.flag("--allow-empty-source", &options.allow_empty_source,
              "go on where a path has lost all its files");
  syntax.flag("--skip-if-unchanged", &options.skip_if_unchanged, "make no snapshot where nothing changed");
  syntax.flag("--no-scan", &options.no_scan,
              "don't count in parallel what there is to do, which progress shows in a first backup");
  syntax.flag("-n,--dry-run", &options.dry_run, "only say what would be done");
}

namespace {

std::string summary_json(const flow::BackupReport& report, bool dry_run, std::uint64_t seconds) {
  JsonObject object;
  object.add("message_type", "summary");
  if (dry_run) object.add("dry_run", true);
  object.add("files_new", report.files_new).add("files_changed", report.files_changed);
  object.add("files_unmodified", report.files_unmodified);
  object.add("dirs_new", report.dirs_new).add("dirs_changed", report.dirs_changed);
  object.add("dirs_unmodified", report.dirs_unmodified);
  object.add("data_blobs", report.data_blobs).add("tree_blobs", report.tree_blobs);
  object.add("data_added", report.data_added).add("data_added_packed", report.data_added_packed);
  object.add("total_files_processed", report.total_files).add("total_bytes_processed", report.total_bytes);
  object.add("total_duration", seconds).add("error_count", report.problems);
  if (report.snapshot) {
    const model::Commit& commit = report.snapshot->commit;
    object.add("backup_start", time_text_exact(commit.start, commit.zone_minutes));
    object.add("backup_end", time_text_exact(commit.end, commit.zone_minutes));
    object.add("snapshot_id", report.snapshot->id);
  }
  return object.text();
}

std::string summary_text(const flow::BackupReport& report, bool dry_run, std::uint64_t seconds) {
  std::string out = fmt::format("Files: {:>10} new, {:>10} changed, {:>10} unmodified\n", report.files_new,
                                report.files_changed, report.files_unmodified);
  out += fmt::format("Dirs:  {:>10} new, {:>10} changed, {:>10} unmodified\n", report.dirs_new,
                     report.dirs_changed, report.dirs_unmodified);
  out += fmt::format("{}: {} ({} stored)\n", dry_run ? "Would add" : "Added", size_text(report.data_added),
                     size_text(report.data_added_packed));
  out += fmt::format("Processed {}, {} in {}\n", counted(report.total_files, "file"),
                     size_text(report.total_bytes), duration_text(seconds));
  if (report.changed_while_read > 0) {
    out += fmt::format("{} changed while being read\n", counted(report.changed_while_read, "file"));
  }
  if (report.problems > 0) out += fmt::format("{} could not be read\n", counted(report.problems, "object"));
  if (report.snapshot) {
    out += fmt::format("snapshot {} saved{}\n", flow::short_id(*report.snapshot),
                       report.partial ? " (partial)" : "");
  } else if (!dry_run) {
    out += "nothing changed: no snapshot made\n";
  }
  return out;
}

Result<Session> open_to_store(Context& context, const std::string& domain) {
  Session session =
      TRY(open_session(context, {repo::Right::deduplicate, repo::Right::index, repo::Right::commit}));
  if (!domain.empty()) session.local = TRY(local_of_domain(context, session, domain));
  return session;
}

}  // namespace

Result<int> run(Context& context, const BackupOptions& options) {
  const std::int64_t started = system_clock().ticks_ns();
  flow::BackupSpec spec = TRY(backup_spec(context, options));
  ProgressOptions show = TRY(progress_options(context));
  show.absolute = true;
  Input input = TRY(open_input(options, spec));
  const Session session = TRY(open_to_store(context, options.domain));
  Progress progress(std::move(show), system_clock(), context.out, context.signals);
  // Counting costs a second walk: not where nobody would see what comes of it.
  if (!progress.is_shown()) input.ahead = nullptr;
  flow::Meter meter(*input.source, progress, std::move(input.ahead));
  auto done = flow::backup(meter, *session.repository, *session.local, spec, meter, context.stop);
  progress.finish();
  if (!done.ok()) return std::move(done).error();
  const flow::BackupReport& report = done.value();
  const auto seconds = static_cast<std::uint64_t>((system_clock().ticks_ns() - started) / 1'000'000'000);
  if (context.global.json) {
    context.out.line(summary_json(report, options.dry_run, seconds));
  } else if (!context.global.quiet) {
    context.out.write(summary_text(report, options.dry_run, seconds));
  }
  return report.partial ? exit_code(Errc::partial) : 0;
}

}  // namespace holdfast::cli
