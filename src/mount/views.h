// Views: the folders above the snapshots, as templates of paths say: "hosts/%h/%T" shows each snapshot by its
// time in a folder of its host. A value, made anew when the list of snapshots has changed. Names come from
// whoever made the snapshots and are made safe here: one component each, never "." or "..", not too long.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/commit.h"

namespace holdfast::mount {

// What a mount needs to know of a snapshot.
struct Snapshot {
  std::string id;  // 64 hex digits
  model::Time start;
  std::string time_name;  // how %T shows it
  std::string host;
  std::string user;
  std::vector<std::string> paths;
  std::vector<std::string> tags;
  model::Root root;
};
using SnapshotPtr = std::shared_ptr<const Snapshot>;

// In a template: %i short id, %I id, %h host, %u user, %T time, %t each tag, %p each path that was backed up
// (all of it: what is shown there is what the snapshot has at that path).
const std::vector<std::string>& default_templates();
// Errc::usage where it is empty or has an unknown %-letter.
Result<void> check_template(const std::string& text);

// One name of a view: a folder, a link, or where a snapshot begins.
struct ViewNode {
  enum class Kind : std::uint8_t { folder, link, snapshot };
  Kind kind = Kind::folder;
  std::vector<std::string> names{};  // of a folder, sorted
  std::string target{};              // of a link
  SnapshotPtr snapshot{};
  std::string top{};  // what of the snapshot is shown; empty: all
};

class Views {
 public:
  // `snapshots` oldest first. Of several with one name in one folder, the later ones get "-1", "-2"…;
  // "latest" is a link to the newest where a template ends with %T.
  Views(const std::vector<SnapshotPtr>& snapshots, const std::vector<std::string>& templates);

  // By path without '/' at either end; "" is the top. Null where there is none.
  const ViewNode* find(const std::string& path) const;

 private:
  void add_folders(const std::string& path);
  void add_name(const std::string& path);
  void add_snapshot(const SnapshotPtr& snapshot, const std::string& folder, const std::string& name,
                    const std::string& top, bool by_time);

  std::map<std::string, ViewNode> nodes_;
};

}  // namespace holdfast::mount
