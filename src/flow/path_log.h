// The history of one path over many snapshots: when it came, what changed, when it went. Snapshots share most
// of their trees, and what lies below a node that was looked into before is known: so each snapshot costs the
// few nodes on the way to the path that it does not share, and no content is read, but where two versions of
// one size up to 16 MiB were cut into pieces differently.
#pragma once

#include <map>
#include <optional>

#include "flow/diff.h"

namespace holdfast::flow {

// Looks up one path in many trees. One thread at a time.
class PathLookup {
 public:
  // `path` without '/' at either end. `chunks` outlives this.
  PathLookup(repo::ChunkReader& chunks, std::string path) : chunks_(chunks), path_(std::move(path)) {}
  // What the commit has under the path; null where nothing. Errors: damaged, what the store says.
  Result<std::shared_ptr<const model::Entry>> find(const model::Commit& commit, std::stop_token stop);
  // Nodes and leaves that had to be read so far.
  std::uint64_t reads() const { return reads_; }

 private:
  using Found = std::shared_ptr<const model::Entry>;
  Result<Found> below(const model::Child& claim, std::uint8_t level, std::stop_token stop);

  repo::ChunkReader& chunks_;
  const std::string path_;
  std::map<model::Address, Found> known_;  // by node
  std::uint64_t reads_ = 0;
};

// One thing that happened.
struct PathChange {
  const repo::Snapshot* snapshot = nullptr;  // the first one that shows it
  Change change = Change::added;
  std::shared_ptr<const model::Entry> entry;  // as it was then; of what was removed, as it was last
  // 16 hex digits. Equal ones mean equal content; of content that was stored twice there are two. "" without.
  std::string mark;
};

struct PathLog {
  std::vector<PathChange> changes;  // each host's together, oldest first
  std::uint64_t snapshots = 0;      // that cover the path …
  std::uint64_t present_in = 0;     // … and have it
  std::vector<std::string>
      unreadable;  // ids of snapshots whose tree is damaged there: nothing is known of them
};

// Of snapshots, oldest first; those that don't cover the path count for nothing. Hosts are told apart.
Result<PathLog> log_path(repo::ChunkReader& chunks, const std::vector<const repo::Snapshot*>& snapshots,
                         const std::string& path, std::stop_token stop);

// Whether a backup of those paths, as the commit has them, would have had that one: it lies at, below or
// above one.
bool covers(const model::Commit& commit, std::string_view path);

}  // namespace holdfast::flow
