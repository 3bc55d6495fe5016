#include "flow/snapshot_list.h"

namespace holdfast::flow {

std::string short_id(const repo::Snapshot& snapshot) { return snapshot.id.substr(0, 8); }

SnapshotList::SnapshotList(repo::History history)
    : history_(std::make_unique<const repo::History>(std::move(history))) {}

void SnapshotList::add(const repo::Snapshot& snapshot) {
  const model::Commit& commit = snapshot.commit;
  model::SnapshotFacts facts;
  facts.id = snapshot.id;
  facts.seconds = commit.start.seconds;
  facts.local = model::local_time(commit.start.seconds);
  facts.host = commit.host;
  facts.paths = commit.paths;
  facts.tags = snapshot.tags;
  facts.domain = snapshot.domain;
  facts.complete = !commit.partial;
  facts_.push_back(std::move(facts));
  all_.push_back(&snapshot);
}

SnapshotList SnapshotList::present(repo::History history) {
  SnapshotList list(std::move(history));
  for (const repo::Snapshot* snapshot : list.history_->snapshots()) list.add(*snapshot);
  return list;
}

SnapshotList SnapshotList::forgotten(repo::History history) {
  SnapshotList list(std::move(history));
  for (const repo::Snapshot& snapshot : list.history_->commits) {
    const bool retired =
        list.history_->log.deleted.contains({snapshot.commit.transaction, repo::kOwnObjects});
    if (snapshot.forgotten && !snapshot.erased && !retired &&
        snapshot.commit.kind == model::CommitKind::snapshot)
      list.add(snapshot);
  }
  return list;
}

Result<SnapshotList> SnapshotList::read(const repo::Repository& repository, std::stop_token stop) {
  repo::History history = TRY(repository.history(stop));
  return present(std::move(history));
}

Result<SnapshotList> SnapshotList::readable(const repo::Repository& repository, std::stop_token stop) {
  repo::History history = TRY(repository.readable_history(stop));
  return present(std::move(history));
}

Result<PickedSnapshot> SnapshotList::pick(std::string_view word, const model::Filter& filter) const {
  const model::SnapshotWord parsed = TRY(model::parse_snapshot_word(word));
  auto found = model::find_snapshot(parsed, facts_, filter);
  const bool missing = !found.ok() && found.error().kind() == Errc::not_found;
  if (missing && !parsed.latest) {
    for (const repo::Snapshot& snapshot : history_->commits) {
      if (snapshot.erased && snapshot.id.starts_with(parsed.prefix))
        return erased_error("snapshot " + short_id(snapshot), history_->log, snapshot.commit.domain);
    }
  }
  const std::vector<std::string>& unreadable = history_->unreadable;
  if (missing && !unreadable.empty()) {
    return Error(Errc::not_found, fmt::format("{} among those that can be read; {} can't: {}",
                                              found.error().text(), unreadable.size(), unreadable.front()))
        .hint("'holdfast check' says more");
  }
  const std::size_t index = TRY(std::move(found));
  return PickedSnapshot{all_[index], parsed.sub_path};
}

Result<std::vector<const repo::Snapshot*>> SnapshotList::pick_all(const std::vector<std::string>& words,
                                                                  const model::Filter& filter) const {
  std::vector<const repo::Snapshot*> picked;
  if (words.empty()) {
    for (const std::size_t index : model::select(facts_, filter)) picked.push_back(all_[index]);
    return picked;
  }
  for (const std::string& word : words) {
    const PickedSnapshot one = TRY(pick(word, filter));
    if (std::find(picked.begin(), picked.end(), one.snapshot) == picked.end()) picked.push_back(one.snapshot);
  }
  return picked;
}

}  // namespace holdfast::flow
