#include "flow/find.h"

#include <fmt/core.h>

#include "cli/backup_input.h"
#include "cli/commands.h"
#include "cli/entry_view.h"
#include "cli/snapshot_view.h"
#include "cli/wire.h"

namespace holdfast::cli {

void declare(Syntax& syntax, FindOptions& options) {
  syntax.argument("PATTERN", &options.patterns, "names or paths, with wildcards as in .gitignore").required =
      true;
  syntax.option("-s,--snapshot", "SNAPSHOT", &options.snapshots, "only in this snapshot");
  declare_filter(syntax, options.filter);
  syntax.flag("-i,--ignore-case", &options.ignore_case, "don't tell upper from lower case");
  syntax.option("-O,--oldest", "TIME", &options.oldest, "only what was modified at this time or later");
  syntax.option("-N,--newest", "TIME", &options.newest, "only what was modified at this time or before");
  syntax.option("--type", "TYPE", &options.type, "only these").choices = {"file", "dir", "symlink"};
  syntax.flag("-l,--long", &options.long_format, "with mode, owner, size and time");
  syntax.flag("--human-readable", &options.human_readable, "the same, sizes as 1.5 MiB");
  syntax.flag("-R,--reverse", &options.reverse, "the oldest snapshot first");
}

namespace {

Result<flow::FindSpec> spec_of(const FindOptions& options) {
  flow::FindSpec spec;
  for (const std::string& pattern : options.patterns) {
    TRY(spec.patterns.add(pattern, "PATTERN", {.fold_case = options.ignore_case, .floating = true}));
  }
  if (!options.oldest.empty()) spec.oldest = TRY_AS(parse_time(options.oldest), "--oldest");
  if (!options.newest.empty()) spec.newest = TRY_AS(parse_time(options.newest), "--newest");
  if (options.type == "file") spec.type = model::FileType::regular;
  if (options.type == "dir") spec.type = model::FileType::directory;
  if (options.type == "symlink") spec.type = model::FileType::symlink;
  return spec;
}

// Matches as they come: nothing of them is kept.
class Matches {
 public:
  Matches(Context& context, EntryStyle style) : context_(context), style_(style) {
    if (context_.global.json) context_.out.write("[");
  }

  void begin(const repo::Snapshot& snapshot) {
    snapshot_ = &snapshot;
    found_ = 0;
  }
  void add(const model::Entry& entry) {
    if (++found_ == 1) head();
    line_.clear();
    if (context_.global.json) {
      if (found_ > 1) line_ += ',';
      line_ += entry_json(entry).text();
    } else {
      append_entry(line_, entry, style_);
      line_ += '\n';
    }
    context_.out.write(line_);
  }
  void end() {
    if (found_ == 0) return;
    if (context_.global.json) {
      context_.out.write(fmt::format("],\"hits\":{},\"snapshot\":{}}}", found_, json_string(snapshot_->id)));
    } else {
      context_.out.write("\n");
    }
  }
  void finish() {
    if (context_.global.json) context_.out.line("]");
  }

 private:
  void head() {
    if (!context_.global.json) return context_.out.line("in " + snapshot_line(*snapshot_) + ":");
    context_.out.write(std::exchange(any_, true) ? ",{\"matches\":[" : "{\"matches\":[");
  }

  Context& context_;
  const EntryStyle style_;
  const repo::Snapshot* snapshot_ = nullptr;
  std::uint64_t found_ = 0;  // in this snapshot
  bool any_ = false;         // in any
  std::string line_;
};

}  // namespace

Result<int> run(Context& context, const FindOptions& options) {
  const flow::FindSpec spec = TRY(spec_of(options));
  const Session session = TRY(open_session(context, kReading));
  const flow::SnapshotList list = TRY(flow::SnapshotList::readable(*session.repository, context.stop));
  auto picked = TRY(list.pick_all(options.snapshots, filter_of(options.filter)));
  if (options.reverse) std::reverse(picked.begin(), picked.end());
  repo::ChunkReader chunks(*session.repository, list.history().log);
  flow::Finder finder(chunks, spec);
  Matches matches(context, {options.long_format, options.human_readable});
  bool torn = false;
  for (const repo::Snapshot* snapshot : picked) {
    finder.on_torn = [&](std::string_view where, const Error& error) {
      torn = true;
      tell_error(context.global.json,
                 fmt::format("what snapshot {} has from /{} on, up to what can be read again, is lost: {}",
                             flow::short_id(*snapshot), where, error.text()));
    };
    matches.begin(*snapshot);
    TRY(finder.find(
        snapshot->commit, [&](const model::Entry& entry) { matches.add(entry); }, context.stop));
    matches.end();
  }
  matches.finish();
  const int unreadable = warn_unreadable(context, list.history());
  return torn ? exit_code(Errc::partial) : unreadable;
}

}  // namespace holdfast::cli
