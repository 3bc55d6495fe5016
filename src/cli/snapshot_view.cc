#include "cli/snapshot_view.h"

#include <fmt/core.h>

namespace holdfast::cli {

std::uint64_t total_bytes(const repo::Snapshot& snapshot) {
  std::uint64_t bytes = 0;
  for (const model::Root& root : snapshot.commit.roots) bytes += root.bytes;
  return bytes;
}

std::uint64_t total_entries(const repo::Snapshot& snapshot) {
  std::uint64_t entries = 0;
  for (const model::Root& root : snapshot.commit.roots) entries += root.entries;
  return entries;
}

JsonObject snapshot_json(const repo::History& history, const repo::Snapshot& snapshot) {
  const model::Commit& commit = snapshot.commit;
  JsonObject object;
  object.add("time", time_text_exact(commit.start, commit.zone_minutes));
  const repo::Snapshot* parent = commit.parent ? history.find(*commit.parent) : nullptr;
  if (parent != nullptr) object.add("parent", parent->id);
  if (!commit.roots.empty()) object.add("tree", hex(commit.roots.front().id));
  object.add("paths", commit.paths).add("hostname", commit.host).add("username", commit.user);
  if (!commit.excludes.empty()) object.add("excludes", commit.excludes);
  if (!snapshot.tags.empty()) object.add("tags", snapshot.tags);
  object.add("program_version", commit.program);
  if (!snapshot.domain.empty()) object.add("domain", snapshot.domain);
  if (commit.partial) object.add("partial", true);
  JsonObject summary;
  summary.add("backup_start", time_text_exact(commit.start, commit.zone_minutes));
  summary.add("backup_end", time_text_exact(commit.end, commit.zone_minutes));
  for (const auto& [name, value] : commit.statistics) summary.add(name, value);
  object.raw("summary", summary.text());
  object.add("id", snapshot.id).add("short_id", flow::short_id(snapshot));
  return object;
}

std::string snapshot_line(const repo::Snapshot& snapshot) {
  const model::Commit& commit = snapshot.commit;
  return fmt::format("snapshot {} of [{}] at {} by {}@{}", flow::short_id(snapshot),
                     printable(joined(commit.paths, ", ")), time_text(commit.start), printable(commit.user),
                     printable(commit.host));
}

void declare_filter(Syntax& syntax, FilterOptions& options) {
  syntax.option("-H,--host", "HOST", &options.hosts, "only snapshots of this host");
  syntax.option("--path", "PATH", &options.paths, "only snapshots that include this path");
  syntax.option("--tag", "TAG[,TAG]", &options.tags,
                "only snapshots with all these tags; '' means without any");
  syntax.option("--domain", "NAME", &options.domains,
                "only snapshots of this key domain; '' means those in none");
}

model::Filter filter_of(const FilterOptions& options) {
  model::Filter filter;
  filter.hosts = options.hosts;
  filter.paths = options.paths;
  filter.domains = options.domains;
  for (const std::string& tags : options.tags) filter.tags.push_back(model::parse_tag_list(tags));
  return filter;
}

void default_to_latest(std::string& snapshot, Words& paths) {
  if (snapshot.starts_with('/')) paths.insert(paths.begin(), std::exchange(snapshot, ""));
  if (snapshot.empty()) snapshot = "latest";
}

std::string joined_path(std::string top, std::string_view path) {
  while (path.starts_with('/')) path.remove_prefix(1);
  while (path.ends_with('/')) path.remove_suffix(1);
  if (!top.empty() && !path.empty()) top += '/';
  return top.append(path);
}

}  // namespace holdfast::cli
