#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "cli/commands.h"
#include "cli/snapshot_view.h"
#include "cli/wire.h"
#include "model/retention.h"

namespace holdfast::cli {

void declare(Syntax& syntax, SnapshotsOptions& options) {
  syntax.argument("SNAPSHOT", &options.ids, "only these: an id or its beginning, latest, latest~2");
  declare_filter(syntax, options.filter);
  syntax.option("--latest", "N", &options.latest, "only the last N of each host and paths");
  syntax.option("-g,--group-by", "GROUP", &options.group_by,
                "one table for each of host, paths, tags (host,paths,tags)");
  syntax.flag("-c,--compact", &options.compact, "one line each: no paths and tags");
  syntax.flag("--forgotten", &options.forgotten,
              "those that were forgotten and that undelete may bring back");
}

namespace {

using Snapshots = std::vector<const repo::Snapshot*>;

// What snapshots are told apart by.
struct GroupKey {
  std::string domain, host;
  std::vector<std::string> paths, tags;
  auto operator<=>(const GroupKey&) const = default;
};

GroupKey key_of(const repo::Snapshot& snapshot, const model::GroupBy& by) {
  GroupKey key;
  key.domain = snapshot.domain;
  if (by.host) key.host = snapshot.commit.host;
  if (by.paths) key.paths = snapshot.commit.paths;
  if (by.tags) key.tags = snapshot.tags;
  return key;
}

// `snapshots` is newest first.
Snapshots last_of_each(const Snapshots& snapshots, std::uint64_t count) {
  std::map<GroupKey, std::uint64_t> seen;
  Snapshots out;
  for (const repo::Snapshot* snapshot : snapshots) {
    if (seen[key_of(*snapshot, {.host = true, .paths = true, .tags = false})]++ < count)
      out.push_back(snapshot);
  }
  return out;
}

std::string table(const Snapshots& snapshots, bool compact) {
  const bool domains = std::any_of(snapshots.begin(), snapshots.end(),
                                   [](const repo::Snapshot* s) { return !s->domain.empty(); });
  std::vector<std::string> head = {"ID", "Time", "Host"};
  if (domains) head.emplace_back("Domain");
  head.emplace_back("Tags");
  if (!compact) head.emplace_back("Paths");
  head.emplace_back(">Size");
  Table table(std::move(head));
  for (const repo::Snapshot* snapshot : snapshots) {
    const std::string mark = snapshot->commit.partial ? " (partial)" : "";
    std::vector<std::string> row = {flow::short_id(*snapshot), time_text(snapshot->commit.start) + mark,
                                    printable(snapshot->commit.host)};
    if (domains) row.push_back(printable(snapshot->domain));
    row.push_back(printable(joined(snapshot->tags, ",")));
    if (!compact) {
      std::vector<std::string> paths;
      for (const std::string& path : snapshot->commit.paths) paths.push_back(printable(path));
      row.push_back(joined(paths, "\n"));
    }
    row.push_back(size_text(total_bytes(*snapshot)));
    table.row(std::move(row));
  }
  return table.text() + counted(snapshots.size(), "snapshot") + "\n";
}

std::string array(const repo::History& history, const Snapshots& snapshots) {
  std::vector<std::string> objects;
  for (const repo::Snapshot* snapshot : snapshots)
    objects.push_back(snapshot_json(history, *snapshot).text());
  return json_array(objects);
}

void show_groups(Context& context, const flow::SnapshotList& list, const Snapshots& snapshots,
                 const model::GroupBy& by, bool compact) {
  std::map<GroupKey, Snapshots> groups;
  for (const repo::Snapshot* snapshot : snapshots) groups[key_of(*snapshot, by)].push_back(snapshot);
  std::vector<std::string> objects;
  for (const auto& [key, members] : groups) {
    if (context.global.json) {
      JsonObject names;
      if (!key.domain.empty()) names.add("domain", key.domain);
      names.add("hostname", key.host).add("paths", key.paths).add("tags", key.tags);
      objects.push_back(JsonObject()
                            .raw("group_key", names.text())
                            .raw("snapshots", array(list.history(), members))
                            .text());
      continue;
    }
    std::string title = "snapshots";
    if (!key.domain.empty()) title += " of key domain " + printable(key.domain);
    if (by.host) title += " of host " + printable(key.host);
    if (by.tags) title += " with tags [" + printable(joined(key.tags, ", ")) + "]";
    if (by.paths) title += " of paths [" + printable(joined(key.paths, ", ")) + "]";
    context.out.line(title + ":");
    context.out.line(table(members, compact));
  }
  if (context.global.json) context.out.line(json_array(objects));
}

}  // namespace

Result<int> run(Context& context, const SnapshotsOptions& options) {
  const Session session = TRY(open_session(context, {repo::Right::index}));
  repo::History history = TRY(session.repository->readable_history(context.stop));
  const flow::SnapshotList list = options.forgotten ? flow::SnapshotList::forgotten(std::move(history))
                                                    : flow::SnapshotList::present(std::move(history));
  Snapshots snapshots = TRY(list.pick_all(options.ids, filter_of(options.filter)));
  if (options.latest) snapshots = last_of_each(snapshots, *options.latest);
  std::reverse(snapshots.begin(), snapshots.end());  // the newest next to the prompt
  if (!options.group_by.empty()) {
    const model::GroupBy by = TRY(model::parse_group_by(options.group_by));
    show_groups(context, list, snapshots, by, options.compact);
  } else if (context.global.json) {
    context.out.line(array(list.history(), snapshots));
  } else {
    context.out.write(table(snapshots, options.compact));
  }
  return warn_unreadable(context, list.history());
}

}  // namespace holdfast::cli
