#include "mount/views.h"

#include <fmt/core.h>

#include <algorithm>

namespace holdfast::mount {

namespace {

constexpr std::size_t kNameBytesMax = 240;  // with room for "-N" up to what file systems take
constexpr std::string_view kLatest = "latest";

std::string as_name(std::string_view text) {
  std::string name(text.substr(0, kNameBytesMax));
  std::replace(name.begin(), name.end(), '/', '_');
  std::replace(name.begin(), name.end(), '\0', '_');
  if (name.empty() || name == "." || name == "..") name.insert(name.begin(), '_');
  return name;
}

std::string as_path(std::string_view text) {
  std::string path;
  while (!text.empty()) {
    const std::size_t slash = std::min(text.find('/'), text.size());
    if (slash > 0) {
      if (!path.empty()) path += '/';
      path += as_name(text.substr(0, slash));
    }
    text.remove_prefix(std::min(slash + 1, text.size()));
  }
  return path;
}

std::string trimmed(std::string_view path) {
  while (path.starts_with('/')) path.remove_prefix(1);
  while (path.ends_with('/')) path.remove_suffix(1);
  return std::string(path);
}

// A template with what is put in for its letters. Where it has %t or %p: for one tag, one path.
std::string filled(const std::string& pattern, const Snapshot& snapshot, std::string_view tag,
                   std::string_view path) {
  std::string out;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '%' || i + 1 == pattern.size()) {
      out += pattern[i];
      continue;
    }
    switch (pattern[++i]) {
      case 'i':
        out += std::string_view(snapshot.id).substr(0, 8);
        break;
      case 'I':
        out += snapshot.id;
        break;
      case 'h':
        out += as_name(snapshot.host);
        break;
      case 'u':
        out += as_name(snapshot.user);
        break;
      case 'T':
        out += as_name(snapshot.time_name);
        break;
      case 't':
        out += as_name(tag);
        break;
      case 'p':
        out += path;
        break;
      default:
        break;
    }
  }
  return as_path(out);
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == path.npos ? "" : path.substr(0, slash);
}

std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// Where a template shows a snapshot, and what of it.
struct Shown {
  SnapshotPtr snapshot;
  std::string path;
  std::string top;
  bool by_time = false;
};

std::vector<Shown> shown(const SnapshotPtr& snapshot, const std::string& pattern) {
  const bool by_tag = pattern.find("%t") != pattern.npos;
  const bool by_path = pattern.find("%p") != pattern.npos;
  const std::vector<std::string> one{""};
  std::vector<Shown> out;
  for (const std::string& tag : by_tag ? snapshot->tags : one) {
    for (const std::string& path : by_path ? snapshot->paths : one) {
      out.push_back(
          {snapshot, filled(pattern, *snapshot, tag, path), trimmed(path), pattern.ends_with("%T")});
    }
  }
  return out;
}

}  // namespace

const std::vector<std::string>& default_templates() {
  static const std::vector<std::string> kTemplates = {"ids/%i", "snapshots/%T", "hosts/%h/%T", "tags/%t/%T",
                                                      "paths/%p/%T"};
  return kTemplates;
}

Result<void> check_template(const std::string& text) {
  if (as_path(text).empty()) return Error(Errc::usage, "a template of paths is empty");
  for (std::size_t at = text.find('%'); at != text.npos; at = text.find('%', at + 2)) {
    if (at + 1 < text.size() && std::string_view("iIhuTtp").find(text[at + 1]) != std::string_view::npos)
      continue;
    return Error(Errc::usage, fmt::format("the template \"{}\" has a % without a letter that is known", text))
        .hint("there are %i %I %h %u %T %t %p");
  }
  return {};
}

Views::Views(const std::vector<SnapshotPtr>& snapshots, const std::vector<std::string>& templates) {
  nodes_[""];
  std::vector<Shown> all;
  for (const std::string& pattern : templates) {
    add_folders(folder_of(as_path(pattern.substr(0, pattern.find('%')) + "x")));
    for (const SnapshotPtr& snapshot : snapshots) {
      for (Shown& one : shown(snapshot, pattern)) {
        if (!one.path.empty()) all.push_back(std::move(one));
      }
    }
  }
  // Folders first: a snapshot's name gives way to theirs.
  for (const Shown& one : all) add_folders(folder_of(one.path));
  for (const Shown& one : all)
    add_snapshot(one.snapshot, folder_of(one.path), name_of(one.path), one.top, one.by_time);
  for (auto& [path, node] : nodes_) std::sort(node.names.begin(), node.names.end());
}

const ViewNode* Views::find(const std::string& path) const {
  const auto found = nodes_.find(path);
  return found == nodes_.end() ? nullptr : &found->second;
}

void Views::add_folders(const std::string& path) {
  if (path.empty() || nodes_.contains(path)) return;
  add_folders(folder_of(path));
  nodes_[path];
  add_name(path);
}

void Views::add_name(const std::string& path) { nodes_[folder_of(path)].names.push_back(name_of(path)); }

void Views::add_snapshot(const SnapshotPtr& snapshot, const std::string& folder, const std::string& name,
                         const std::string& top, bool by_time) {
  const std::string prefix = folder.empty() ? "" : folder + "/";
  std::string path = prefix + name;
  for (unsigned i = 1; nodes_.contains(path); ++i) path = fmt::format("{}{}-{}", prefix, name, i);
  nodes_[path] = {.kind = ViewNode::Kind::snapshot, .snapshot = snapshot, .top = top};
  add_name(path);
  if (!by_time) return;
  const std::string latest = prefix + std::string(kLatest);
  const auto link = nodes_.find(latest);
  if (link != nodes_.end() && link->second.kind != ViewNode::Kind::link) return;
  if (link == nodes_.end()) add_name(latest);
  nodes_[latest] = {.kind = ViewNode::Kind::link, .target = name_of(path)};
}

}  // namespace holdfast::mount
