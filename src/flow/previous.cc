#include "flow/previous.h"

namespace holdfast::flow {

namespace {

// How coarse the times of a file system may be.
constexpr std::int64_t kRacySeconds = 2;

}  // namespace

bool wholly_usable(const model::References& references, const repo::LogState& log) {
  for (const auto& [pack, slots] : references) {
    const model::PackId whole{pack.transaction, repo::kOwnObjects};
    if (log.condemned.contains(whole) || log.deleted.contains(whole)) return false;
    const auto condemned = log.condemned.find(pack);
    if (condemned != log.condemned.end() && !condemned->second.kept.contains(slots)) return false;
    const auto deleted = log.deleted.find(pack);
    if (deleted != log.deleted.end() && !deleted->second.kept.contains(slots)) return false;
  }
  return true;
}

Result<Previous> Previous::open(const std::string& file, const repo::Transaction& transaction,
                                const repo::LocalState& local, const repo::History& history,
                                std::stop_token stop) {
  Previous previous;
  auto reader = repo::LocalTreeReader::open(file, local.key());
  if (reader == nullptr) return previous;
  const repo::LogState& log = transaction.log();
  const repo::Snapshot* snapshot = history.find(reader->summary().transaction);
  if (snapshot == nullptr || snapshot->hash != reader->summary().snapshot) return previous;
  const model::TransactionId& id = snapshot->commit.transaction;
  if (log.dropped(snapshot->commit) || log.abandoned.contains(id)) return previous;
  for (const model::PagePointer& page : snapshot->commit.pages) {
    const model::PackId owner{page.owner, repo::kOwnObjects};
    if (log.condemned.contains(owner) || log.deleted.contains(owner)) return previous;
  }
  if (!log.condemned.empty() || !log.deleted.empty()) {
    const auto references = transaction.repository().read_references(snapshot->commit, stop);
    if (!references.ok() || !wholly_usable(references.value(), log)) return previous;
  }
  previous.snapshot_ = snapshot;
  previous.log_ = &log;
  previous.summary_ = reader->summary();
  previous.reader_ = std::move(reader);
  return previous;
}

Previous Previous::to_compare(const std::string& file, const repo::Snapshot& wanted,
                              const repo::LocalState& local) {
  Previous previous;
  auto reader = repo::LocalTreeReader::open(file, local.key());
  if (reader == nullptr || reader->summary().snapshot != wanted.hash) return previous;
  previous.snapshot_ = &wanted;
  previous.summary_ = reader->summary();
  previous.reader_ = std::move(reader);
  return previous;
}

model::Time Previous::racy_from() const {
  model::Time from = summary_.start;
  from.seconds -= kRacySeconds;
  return from;
}

std::vector<std::pair<model::ShortId, model::Address>> Previous::nodes() const {
  auto nodes = summary_.nodes;
  if (log_ != nullptr) std::erase_if(nodes, [&](const auto& node) { return log_->is_lost(node.second); });
  return nodes;
}

bool Previous::lost(const repo::LocalEntry& entry) const {
  if (log_ == nullptr || log_->lost.empty()) return false;
  const std::vector<model::Extent>& content = entry.entry.content;
  return std::any_of(content.begin(), content.end(), [&](const model::Extent& extent) {
    return !extent.hole && log_->is_lost(extent.chunk);
  });
}

repo::LocalEntry* Previous::peek() {
  while (reader_ != nullptr && at_ >= leaf_.entries.size()) {
    at_ = 0;
    const auto more = reader_->next(leaf_);
    if (!more.ok() || !more.value()) {
      // Damaged from here on, or at its end: the rest of the walk finds nothing to compare with.
      leaf_.entries.clear();
      reader_.reset();
    } else if (log_ != nullptr && leaf_.origin != nullptr &&
               (log_->is_lost(leaf_.origin->address) || log_->is_lost(leaf_.origin->base))) {
      leaf_.origin.reset();
    }
  }
  return reader_ == nullptr ? nullptr : &leaf_.entries[at_];
}

}  // namespace holdfast::flow
