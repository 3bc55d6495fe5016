// SnapshotList: the snapshots of a repository as an operator sees them (no checkpoints, none forgotten), with
// the words and filters that select among them. A value read once; thread-safe where const.
#pragma once

#include <string>
#include <vector>

#include "model/select.h"
#include "repo/repository.h"

namespace holdfast::flow {

// A word as "latest:/home/ann", resolved.
struct PickedSnapshot {
  const repo::Snapshot* snapshot = nullptr;
  std::string sub_path;  // without '/' at either end; empty: all
};

class SnapshotList {
 public:
  static Result<SnapshotList> read(const repo::Repository& repository, std::stop_token stop);
  // Also where the log is damaged (History::log_trouble): for those who only read.
  static Result<SnapshotList> readable(const repo::Repository& repository, std::stop_token stop);
  // Those of `history` that were forgotten and are not gone, instead.
  static SnapshotList forgotten(repo::History history);
  static SnapshotList present(repo::History history);

  const repo::History& history() const { return *history_; }
  const std::vector<const repo::Snapshot*>& all() const { return all_; }
  const std::vector<model::SnapshotFacts>& facts() const { return facts_; }

  // Errors: usage, not_found.
  Result<PickedSnapshot> pick(std::string_view word, const model::Filter& filter) const;
  // Those named by `words`, or where there are none all that `filter` lets through; newest first.
  Result<std::vector<const repo::Snapshot*>> pick_all(const std::vector<std::string>& words,
                                                      const model::Filter& filter) const;

 private:
  explicit SnapshotList(repo::History history);
  void add(const repo::Snapshot& snapshot);
  Result<void> explain_missing(const model::SnapshotWord& word, const Error& missing) const;

  std::unique_ptr<const repo::History> history_;
  std::vector<const repo::Snapshot*> all_;  // oldest first
  std::vector<model::SnapshotFacts> facts_;
};

// The first 8 hex digits of a snapshot's id.
std::string short_id(const repo::Snapshot& snapshot);

}  // namespace holdfast::flow
