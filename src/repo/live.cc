#include "repo/live.h"

namespace holdfast::repo {

LastOfRuns last_of_runs(const std::vector<Snapshot>& commits) {
  LastOfRuns out;
  for (const Snapshot& commit : commits) {
    model::TransactionId& last = out[commit.commit.run];
    last = std::max(last, commit.commit.transaction);
  }
  return out;
}

bool is_live(const Snapshot& commit, const LogState& log, const LastOfRuns& last) {
  const model::TransactionId& id = commit.commit.transaction;
  if (log.dropped(commit.commit)) return false;
  if (commit.commit.kind != model::CommitKind::checkpoint) return true;
  const auto end = last.find(commit.commit.run);
  return !log.abandoned.contains(id) && !(end != last.end() && id < end->second);
}

}  // namespace holdfast::repo
