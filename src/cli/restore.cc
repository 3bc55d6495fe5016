#include "flow/restore.h"

#include <fcntl.h>
#include <fmt/core.h>

#include <map>
#include <mutex>

#include "cli/commands.h"
#include "cli/path_lists.h"
#include "cli/progress.h"
#include "cli/snapshot_view.h"
#include "cli/wire.h"

namespace holdfast::cli {

void declare(Syntax& syntax, RestoreOptions& options) {
  syntax
      .argument(
          "SNAPSHOT[:PATH]", &options.snapshot,
          "an id or its beginning, latest, latest~2; with a PATH only what is below it, without PATH itself")
      .required = true;
  syntax.option("-t,--target", "DIR", &options.target,
                "where to restore to; / puts everything back in its place");
  declare_filter(syntax, options.filter);
  const auto pattern = [&](const char* names, const char* value, const char* help) {
    syntax.option(names, value, &options.patterns, help).with_name = true;
  };
  pattern("-i,--include", "PATTERN", "restore only what matches, as in .gitignore");
  pattern("--iinclude", "PATTERN", "the same, ignoring case");
  pattern("--include-file", "FILE", "patterns from a file, one a line");
  pattern("-e,--exclude", "PATTERN", "don't restore what matches");
  pattern("--iexclude", "PATTERN", "the same, ignoring case");
  pattern("--exclude-file", "FILE", "patterns from a file, one a line");
  syntax
      .option("--overwrite", "WHEN", &options.overwrite,
              "what happens to files that are there; default: always")
      .choices = {"always", "if-changed", "if-newer", "never"};
  syntax.flag("--delete", &options.remove_others,
              "remove what the snapshot doesn't have from restored folders");
  syntax.flag("--numeric-owner", &options.numeric_owner, "owners by number, not by name");
  syntax.flag("--sparse", &options.sparse, "make holes of zeros");
  syntax.flag("--verify", &options.verify, "read everything back and compare");
  syntax.flag(
      "--newest-first", &options.newest_first,
      "files in the order of their mtimes, so that what people work on is back before the rest; reads "
      "some data more than once");
  syntax.flag("-n,--dry-run", &options.dry_run, "only say what would be done");
}

namespace {

bool is_include(const std::string& word) {
  return word.starts_with("--include") || word.starts_with("--iinclude");
}

// "--include=a" as an exclude: what matches is what is meant.
std::string as_exclude(const std::string& word) {
  const std::size_t at = word.find("include");
  return word.substr(0, at) + "exclude" + word.substr(at + std::string_view("include").size());
}

// What is restored: what some include means, and no exclude.
Result<std::function<bool(const model::Entry&)>> wanted_of(const Words& patterns) {
  Words includes;
  Words excludes;
  for (const std::string& word : patterns) {
    is_include(word) ? includes.push_back(as_exclude(word)) : excludes.push_back(word);
  }
  if (patterns.empty()) return std::function<bool(const model::Entry&)>();
  source::Rules included = TRY(rules_of(includes));
  source::Rules excluded = TRY(rules_of(excludes));
  const auto in = std::make_shared<const source::Rules>(std::move(included));
  const auto out = std::make_shared<const source::Rules>(std::move(excluded));
  const auto meant = [](const source::Rules& rules, const model::Entry& entry) {
    const auto* rule =
        rules.match_with_parents(entry.path, entry.attributes.type == model::FileType::directory);
    return rule != nullptr && !rule->pattern.negated();
  };
  return std::function<bool(const model::Entry&)>([in, out, meant](const model::Entry& entry) {
    return (in->empty() || meant(*in, entry)) && !meant(*out, entry);
  });
}

// The paths meant where every pattern is an include that names one: then only they need to be looked up. Else
// none.
std::vector<std::string> plain_paths(const Words& patterns) {
  constexpr std::string_view kStart = "--include=/";
  std::vector<std::string> paths;
  for (const std::string& word : patterns) {
    const bool plain = word.starts_with(kStart) && word.find_first_of("*?[]!\\") == word.npos &&
                       word.size() > kStart.size() && word.back() != '/';
    if (!plain) return {};
    paths.push_back(word.substr(kStart.size()));
  }
  std::sort(paths.begin(), paths.end(),
            [](const std::string& a, const std::string& b) { return model::compare_paths(a, b) < 0; });
  return paths;
}

sink::Overwrite overwrite_of(const std::string& word) {
  if (word == "if-changed") return sink::Overwrite::if_changed;
  if (word == "if-newer") return sink::Overwrite::if_newer;
  return word == "never" ? sink::Overwrite::never : sink::Overwrite::always;
}

void add(flow::RestoreReport& sum, const flow::RestoreReport& more) {
  sum.files += more.files;
  sum.files_restored += more.files_restored;
  sum.files_skipped += more.files_skipped;
  sum.files_deleted += more.files_deleted;
  sum.directories += more.directories;
  sum.others += more.others;
  sum.bytes += more.bytes;
  sum.bytes_restored += more.bytes_restored;
  sum.bytes_written += more.bytes_written;
  sum.bytes_matched += more.bytes_matched;
  sum.verified_files += more.verified_files;
  sum.problems += more.problems;
}

// What the target could not hold, by kind: "owner", "xattr", … The sink warns from any thread.
class Lost {
 public:
  void add(std::string_view what) {
    const std::lock_guard lock(mutex_);
    ++counts_[std::string(what.substr(0, what.find(' ')))];
  }
  // {"owner":3,"xattr":1}
  std::string json() const {
    JsonObject object;
    for (const auto& [kind, count] : counts_) object.add(kind, count);
    return object.text();
  }
  // "3 × owner, 1 × xattr"; "" where there is none.
  std::string text() const {
    std::string out;
    for (const auto& [kind, count] : counts_)
      out += fmt::format("{}{} × {}", out.empty() ? "" : ", ", count, kind);
    return out;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::uint64_t> counts_;
};

std::string summary_json(const flow::RestoreReport& report, const Lost& lost, std::uint64_t seconds,
                         bool dry_run) {
  JsonObject object;
  object.add("message_type", "summary").add("seconds_elapsed", seconds);
  if (dry_run) object.add("dry_run", true);
  object.add("total_files", report.files + report.directories + report.others);
  object.add("files_restored", report.files_restored).add("files_skipped", report.files_skipped);
  object.add("files_deleted", report.files_deleted).add("total_bytes", report.bytes);
  object.add("bytes_written", report.bytes_written).add("bytes_matched", report.bytes_matched);
  object.add("bytes_restored", report.bytes_restored).add("files_verified", report.verified_files);
  object.raw("not_set", lost.json());
  return object.add("error_count", report.problems).text();
}

std::string summary_text(const flow::RestoreReport& report, const Lost& lost, std::uint64_t seconds,
                         bool dry_run) {
  std::string out =
      fmt::format("{} {} and {}: {} of {} in {}\n", dry_run ? "Would restore" : "Restored",
                  counted(report.files_restored, "file"), counted(report.directories, "folder"),
                  size_text(report.bytes_restored), size_text(report.bytes), duration_text(seconds));
  if (report.bytes_matched > 0) {
    out += fmt::format("{} written, {} were there already\n", size_text(report.bytes_written),
                       size_text(report.bytes_matched));
  }
  if (report.files_skipped > 0)
    out += fmt::format("{} left as they were\n", counted(report.files_skipped, "file"));
  if (report.files_deleted > 0) out += fmt::format("{} removed\n", counted(report.files_deleted, "object"));
  if (report.verified_files > 0)
    out += fmt::format("{} read back and found right\n", counted(report.verified_files, "file"));
  if (!lost.text().empty()) out += "Could not be set: " + lost.text() + "\n";
  if (report.problems > 0) out += fmt::format("{} not as they were\n", counted(report.problems, "object"));
  return out;
}

// What comes from the repository is not to be trusted with more than the target. Reading snapshots writes to
// the cache at most.
void confine(Context& context, const sink::DirectorySink& sink, Progress& progress) {
  const std::string cache = cache_directory(context.global, context.environment);
  const Fd open_cache(cache.empty() ? -1 : ::open(cache.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  std::vector<int> also;
  if (open_cache.valid()) also.push_back(open_cache.get());
  const auto confined = sink.confine(also);
  if (confined.ok()) return;
  const bool expected = confined.error().kind() == Errc::unsupported;
  if (!expected || context.global.verbose > 0) progress.note(confined.error().text());
}

}  // namespace

Result<int> run(Context& context, const RestoreOptions& options) {
  if (options.target.empty()) return Error(Errc::usage, "--target is missing: where to restore to");
  const std::int64_t started = system_clock().ticks_ns();
  flow::RestoreSpec spec;
  spec.only = plain_paths(options.patterns);
  if (spec.only.empty()) spec.wanted = TRY(wanted_of(options.patterns));
  spec.delete_others = options.remove_others;
  spec.verify = options.verify;
  spec.newest_first = options.newest_first;
  spec.dry_run = options.dry_run;
  ProgressOptions show = TRY(progress_options(context));
  const Session session = TRY(open_session(context, kReading));
  const flow::SnapshotList list = TRY(flow::SnapshotList::readable(*session.repository, context.stop));
  const flow::PickedSnapshot picked = TRY(list.pick(options.snapshot, filter_of(options.filter)));
  spec.subpath = picked.sub_path;
  Progress progress(std::move(show), system_clock(), context.out, context.signals);
  sink::DirectoryOptions target;
  target.overwrite = overwrite_of(options.overwrite);
  target.numeric_owner = options.numeric_owner;
  target.sparse = options.sparse;
  target.dry_run = options.dry_run;
  Lost lost;
  target.warn = [&](const sink::Warning& warning) {
    lost.add(warning.what);
    progress.problem(warning.path, "restore of " + warning.what, warning.error);
  };
  const auto sink = TRY(sink::DirectorySink::make(options.target, target));
  if (!options.dry_run) confine(context, *sink, progress);
  flow::RestoreReport report;
  for (const model::Root& root : picked.snapshot->commit.roots) {
    const flow::RestoreReport one = TRY(
        flow::restore(*session.repository, list.history().log, root, spec, *sink, progress, context.stop));
    add(report, one);
  }
  progress.finish();
  const auto seconds = static_cast<std::uint64_t>((system_clock().ticks_ns() - started) / 1'000'000'000);
  if (context.global.json) {
    context.out.line(summary_json(report, lost, seconds, options.dry_run));
  } else if (!context.global.quiet) {
    context.out.write(summary_text(report, lost, seconds, options.dry_run));
  }
  const int unreadable = warn_unreadable(context, list.history());
  return report.problems > 0 || progress.problems() > 0 ? exit_code(Errc::partial) : unreadable;
}

}  // namespace holdfast::cli
