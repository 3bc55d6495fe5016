#include "flow/maintain.h"

#include <fmt/core.h>

#include "flow/snapshot_list.h"
#include "repo/append.h"

namespace holdfast::flow {

using model::TransactionId;

namespace {

constexpr int kTurnsMax = 100;

// An erased snapshot is nothing that could be brought back.
Result<void> expect_readable(const repo::Snapshot& snapshot, const repo::LogState& log) {
  if (!log.erased(snapshot.commit.domain)) return {};
  return erased_error("snapshot " + short_id(snapshot), log, snapshot.commit.domain);
}

Result<const repo::Snapshot*> find_commit(const repo::History& history, const TransactionId& id,
                                          model::CommitKind kind) {
  const repo::Snapshot* commit = history.find(id);
  if (commit != nullptr && commit->commit.kind == kind && !history.log.retired(id)) return commit;
  return Error(Errc::not_found, fmt::format("{} is no {} of this repository", repo::text(id),
                                            kind == model::CommitKind::snapshot ? "snapshot" : "checkpoint"));
}

// A3: nothing of it is deleted. Condemned is no obstacle: whoever wants to delete must mark again.
Result<void> check_whole(const repo::Snapshot& snapshot, const model::References& references,
                         const repo::LogState& log) {
  bool whole = !log.retired(snapshot.commit.transaction);
  for (const model::PagePointer& page : snapshot.commit.pages) whole = whole && !log.retired(page.owner);
  for (const auto& [pack, slots] : references) {
    const auto deleted = log.deleted.find(pack);
    whole = whole && !log.retired(pack.transaction) &&
            (deleted == log.deleted.end() || deleted->second.kept.contains(slots));
  }
  if (whole) return {};
  return Error(Errc::not_found,
               fmt::format("snapshot {} can't be brought back: prune has removed parts of it",
                           snapshot.id.substr(0, 8)));
}

}  // namespace

Result<void> forget(const repo::Repository& repository, const std::vector<TransactionId>& snapshots,
                    std::stop_token stop) {
  repo::History history = TRY(repository.history(stop));
  const auto decide = [&]() -> Result<std::optional<repo::LogEntry>> {
    repo::Forget entry;
    for (const TransactionId& id : snapshots) {
      TRY(find_commit(history, id, model::CommitKind::snapshot));
      if (!history.log.forgotten.contains(id)) entry.transactions.push_back(id);
    }
    if (entry.transactions.empty()) return std::optional<repo::LogEntry>();
    return std::optional<repo::LogEntry>(std::move(entry));
  };
  return repo::append_decided(repository, history.log, decide, kTurnsMax, stop);
}

Result<void> unforget(const repo::Repository& repository, const std::vector<TransactionId>& snapshots,
                      std::stop_token stop) {
  repo::History history = TRY(repository.history(stop));
  std::map<TransactionId, model::References> references;
  const auto decide = [&]() -> Result<std::optional<repo::LogEntry>> {
    repo::Unforget entry;
    for (const TransactionId& id : snapshots) {
      const repo::Snapshot* snapshot = TRY(find_commit(history, id, model::CommitKind::snapshot));
      TRY(expect_readable(*snapshot, history.log));
      if (!history.log.forgotten.contains(id)) continue;
      auto known = references.find(id);
      if (known == references.end()) {
        TRY(check_whole(*snapshot, {}, history.log));
        model::References read = TRY(repository.read_references(snapshot->commit, stop));
        known = references.emplace(id, std::move(read)).first;
      }
      TRY(check_whole(*snapshot, known->second, history.log));
      entry.transactions.push_back(id);
    }
    if (entry.transactions.empty()) return std::optional<repo::LogEntry>();
    return std::optional<repo::LogEntry>(std::move(entry));
  };
  return repo::append_decided(repository, history.log, decide, kTurnsMax, stop);
}

}  // namespace holdfast::flow
