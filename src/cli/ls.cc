#include <fmt/core.h>

#include <iterator>

#include "cli/commands.h"
#include "cli/entry_view.h"
#include "cli/snapshot_view.h"
#include "cli/wire.h"
#include "flow/torn.h"

namespace holdfast::cli {

void declare(Syntax& syntax, LsOptions& options) {
  syntax.argument("SNAPSHOT[:PATH]", &options.snapshot,
                  "an id or its beginning, latest, latest~2; the latest if left out");
  syntax.argument("DIR", &options.paths, "only these directories and what lies right in them");
  declare_filter(syntax, options.filter);
  syntax.flag("-l,--long", &options.long_format, "with mode, owner, size and time");
  syntax.flag("--human-readable", &options.human_readable, "the same, sizes as 1.5 MiB");
  syntax.flag("--recursive", &options.recursive, "all that is below a DIR, too");
}

namespace {

// What of a snapshot is listed.
struct Selection {
  std::string path;  // without '/' at either end; empty: all
  bool recursive = true;

  bool holds(std::string_view entry) const {
    if (path.empty()) return recursive || entry.find('/') == entry.npos;
    if (!entry.starts_with(path)) return false;
    const std::string_view rest = entry.substr(path.size());
    return rest.empty() || (rest.front() == '/' && (recursive || rest.find('/', 1) == rest.npos));
  }
  // No entry from here on is held.
  bool ends_before(std::string_view entry) const {
    return !path.empty() &&
           !(entry.starts_with(path) && (entry.size() == path.size() || entry[path.size()] == '/'));
  }
};

struct Listed {
  std::uint64_t entries = 0;
  bool torn = false;  // parts of the snapshot are lost, and told
};

Result<Listed> list(Context& context, const repo::Repository& repository, const repo::History& history,
                    const repo::Snapshot& snapshot, const Selection& selection, EntryStyle style) {
  repo::ChunkReader chunks(repository, history.log);
  Listed listed;
  std::string line, last;
  const auto on_torn = [&](std::string_view after, const Error& error) {
    listed.torn = true;
    tell_torn(context, after, error);
  };
  for (const model::Root& root : snapshot.commit.roots) {
    repo::TreeReader tree(chunks, root);
    if (!selection.path.empty()) tree.seek(selection.path);
    for (;;) {
      const model::Entry* entry = TRY(flow::next_readable(tree, last, on_torn, context.stop));
      if (entry == nullptr || selection.ends_before(entry->path)) break;
      last = entry->path;
      if (!selection.holds(entry->path)) continue;
      ++listed.entries;
      line.clear();
      if (context.global.json) {
        line = entry_json(*entry).add("message_type", "node").add("struct_type", "node").text();
      } else {
        append_entry(line, *entry, style);
      }
      line += '\n';
      context.out.write(line);
    }
    if (context.stop.stop_requested()) return Error(Errc::stopped, "stopped while listing");
  }
  return listed;
}

}  // namespace

Result<int> run(Context& context, const LsOptions& options) {
  LsOptions given = options;
  default_to_latest(given.snapshot, given.paths);
  const Session session = TRY(open_session(context, kReading));
  const flow::SnapshotList snapshots = TRY(flow::SnapshotList::readable(*session.repository, context.stop));
  const flow::PickedSnapshot picked = TRY(snapshots.pick(given.snapshot, filter_of(options.filter)));
  const repo::History& history = snapshots.history();
  if (context.global.json) {
    JsonObject head = snapshot_json(history, *picked.snapshot);
    context.out.line(head.add("message_type", "snapshot").add("struct_type", "snapshot").text());
  } else if (context.global.verbose > 0) {
    context.out.line(snapshot_line(*picked.snapshot) + ":");
  }
  std::vector<Selection> selections;
  for (const std::string& path : given.paths) {
    selections.push_back({joined_path(picked.sub_path, path), options.recursive});
  }
  if (selections.empty()) selections.push_back({picked.sub_path, true});
  bool torn = false;
  for (const Selection& selection : selections) {
    const Listed listed = TRY(list(context, *session.repository, history, *picked.snapshot, selection,
                                   {options.long_format, options.human_readable}));
    torn = torn || listed.torn;
    if (listed.entries == 0 && !listed.torn && !selection.path.empty()) {
      return Error(Errc::not_found,
                   fmt::format("snapshot {} has no /{}", flow::short_id(*picked.snapshot), selection.path));
    }
  }
  const int unreadable = warn_unreadable(context, history);
  return torn ? exit_code(Errc::partial) : unreadable;
}

}  // namespace holdfast::cli
