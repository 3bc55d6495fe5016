#include <fmt/core.h>

#include <filesystem>

#include "cli/commands.h"
#include "cli/entry_view.h"
#include "cli/path_log_view.h"
#include "cli/snapshot_view.h"
#include "cli/wire.h"

namespace holdfast::cli {

void declare(Syntax& syntax, LogOptions& options) {
  syntax.argument("PATH", &options.path, "a file or folder, as it was backed up").required = true;
  declare_filter(syntax, options.filter);
  syntax.flag("--human-readable", &options.human_readable, "sizes as 1.5 MiB");
}

std::string tree_path(const std::string& given) {
  std::error_code ignored;
  std::filesystem::path path(given);
  if (path.is_relative()) path = std::filesystem::current_path(ignored) / path;
  std::string text = path.lexically_normal().string();
  while (text.ends_with('/')) text.pop_back();
  while (text.starts_with('/')) text.erase(0, 1);
  return text;
}

namespace {

const char* word(flow::Change change) {
  switch (change) {
    case flow::Change::added:
      return "added";
    case flow::Change::removed:
      return "removed";
    case flow::Change::content:
      return "content";
    case flow::Change::metadata:
      return "metadata";
    case flow::Change::type:
      return "type";
  }
  return "";
}

}  // namespace

std::string path_log_json(const flow::PathLog& log, const std::string& path) {
  std::vector<std::string> changes;
  for (const flow::PathChange& change : log.changes) {
    const model::Commit& commit = change.snapshot->commit;
    JsonObject object;
    object.add("change", word(change.change)).add("snapshot", change.snapshot->id);
    object.add("time", time_text_exact(commit.start, commit.zone_minutes)).add("hostname", commit.host);
    object.add("mark", change.mark).raw("entry", entry_json(*change.entry).text());
    changes.push_back(object.text());
  }
  JsonObject object;
  object.add("message_type", "path_log").add("path", "/" + path).add("snapshots", log.snapshots);
  object.add("present_in", log.present_in).add("unreadable", log.unreadable);
  return object.raw("changes", json_array(changes)).text();
}

std::string path_log_text(const flow::PathLog& log, const std::string& path, bool human_readable) {
  Table table({"Time", "Snapshot", "Host", "Change", ">Size", "Modified", "Mark"});
  for (const flow::PathChange& change : log.changes) {
    const model::Entry& entry = *change.entry;
    const bool gone = change.change == flow::Change::removed;
    const bool sized = !gone && entry.attributes.type == model::FileType::regular;
    table.row({time_text(change.snapshot->commit.start), change.snapshot->id.substr(0, 8),
               printable(change.snapshot->commit.host), word(change.change),
               !sized           ? ""
               : human_readable ? size_text(entry.size_bytes)
                                : std::to_string(entry.size_bytes),
               gone ? "" : time_text(entry.mtime), gone ? "" : change.mark});
  }
  std::string out = log.changes.empty() ? "" : table.text();
  out += fmt::format("/{} is in {} of {} that cover it\n", printable(path), log.present_in,
                     counted(log.snapshots, "snapshot"));
  for (const std::string& id : log.unreadable)
    out += fmt::format("snapshot {} is damaged there: nothing is known of it\n", id.substr(0, 8));
  return out;
}

Result<int> run(Context& context, const LogOptions& options) {
  const std::string path = tree_path(options.path);
  if (path.empty()) return Error(Errc::usage, "/ itself is in no snapshot").hint("name what is below it");
  const Session session = TRY(open_session(context, kReading));
  const flow::SnapshotList list = TRY(flow::SnapshotList::readable(*session.repository, context.stop));
  auto picked = TRY(list.pick_all({}, filter_of(options.filter)));
  std::reverse(picked.begin(), picked.end());  // oldest first
  repo::ChunkReader chunks(*session.repository, list.history().log);
  const flow::PathLog log = TRY(flow::log_path(chunks, picked, path, context.stop));
  if (context.global.json) {
    context.out.line(path_log_json(log, path));
  } else {
    context.out.write(path_log_text(log, path, options.human_readable));
  }
  if (!log.unreadable.empty()) return exit_code(Errc::damaged);
  return warn_unreadable(context, list.history());
}

}  // namespace holdfast::cli
