#include "flow/deduplicator.h"

#include "flow/rebuild_index.h"

namespace holdfast::flow {

namespace {

// Places kept in memory for the present run, about 90 bytes each: 12 MiB. Beyond that what was stored earlier
// in the run is found only after its commit, through the index.
constexpr std::size_t kPlacesPerShardMax = 8 * 1024;

}  // namespace

Deduplicator::Deduplicator(repo::Transaction& transaction, const repo::LocalState& local,
                           const repo::History& history, const std::set<model::TransactionId>* among)
    : transaction_(transaction), local_(local), history_(history) {
  const model::Domain domain = local.keys()->domain();
  for (const repo::Snapshot& snapshot : history.commits) {
    const model::TransactionId& id = snapshot.commit.transaction;
    if (snapshot.commit.domain != domain) continue;
    if (among == nullptr || among->contains(id)) committed_.insert(id);
  }
}

// Opens the index and adds what other writers committed since.
void Deduplicator::open_index() {
  if (local_.directory().empty()) return;
  const repo::Repository& repository = transaction_.repository();
  index_ = flow::open_index(repository, local_);
  // An unreadable manifest costs deduplication; check and prune will say more.
  add_commits(*index_, repository, history_, local_.keys()->domain(),
              [](const model::TransactionId&, const Error&) {}, {});
  addition_.emplace(index_->addition());
}

std::optional<Place> Deduplicator::find(const model::ShortId& key) {
  {
    Shard& mine = shard(key);
    const std::lock_guard lock(mine.mutex);
    const auto at = mine.places.find(key);
    if (at != mine.places.end()) return at->second;
  }
  opened_.call([this] { open_index(); });
  if (index_ == nullptr) return std::nullopt;
  const auto record = index_->find(key);
  if (!record || !transaction_.log().usable(record->address)) return std::nullopt;
  // The cache may remember more than the store has, if that was put back to an earlier state.
  if (!committed_.contains(record->address.pack.transaction)) return std::nullopt;
  return Place{record->address, record->offset, record->length};
}

void Deduplicator::remember(const model::ShortId& key, const Place& place) {
  {
    Shard& mine = shard(key);
    const std::lock_guard lock(mine.mutex);
    if (mine.places.size() >= kPlacesPerShardMax) mine.places.clear();
    mine.places.insert_or_assign(key, place);
  }
  opened_.call([this] { open_index(); });
  const std::lock_guard lock(addition_mutex_);
  if (addition_) addition_->put({key, place.chunk, place.offset, place.length});
}

void Deduplicator::committed(std::stop_token stop) {
  const std::lock_guard lock(addition_mutex_);
  if (!addition_) return;
  const model::TransactionId id = transaction_.id();
  addition_->commit({&id, 1}, stop);
  addition_.reset();
  const repo::LogState& log = transaction_.log();
  index_->merge(
      repo::Index::Merge::due, [&](const model::PackId& pack) { return !log.generation(pack).has_value(); },
      stop);
}

}  // namespace holdfast::flow
