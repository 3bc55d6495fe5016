// Deduplicator: whether content is in the repository already, and where. Looks among what this run stored and
// in the local index, which it brings up to date from manifests when first asked. Never answers with what the
// transaction must not refer to (decision 2, W3). Thread-safe.
#pragma once

#include <array>
#include <mutex>
#include <optional>
#include <set>
#include <unordered_map>

#include "base/once.h"
#include "repo/index.h"
#include "repo/local_state.h"
#include "repo/transaction.h"

namespace holdfast::flow {

// `length` bytes at `offset` of a chunk's plain text.
struct Place {
  model::Address chunk;
  std::uint32_t offset = 0;
  std::uint32_t length = 0;
};

class Deduplicator {
 public:
  // `history` is as of the transaction's opening or before. Of what was stored earlier it answers only with
  // what transactions `among` these stored, where given.
  Deduplicator(repo::Transaction& transaction, const repo::LocalState& local, const repo::History& history,
               const std::set<model::TransactionId>* among = nullptr);

  std::optional<Place> find(const model::ShortId& key);
  // Something that this run stored. Where it was stored twice at once by two threads, both stay valid.
  void remember(const model::ShortId& key, const Place& place);
  // The run committed: what it stored goes into the index.
  void committed(std::stop_token stop);

 private:
  struct KeyHash {
    std::size_t operator()(const model::ShortId& key) const {
      std::size_t out;
      std::memcpy(&out, key.data(), sizeof out);
      return out;
    }
  };
  struct Shard {
    std::mutex mutex;  // guards places
    std::unordered_map<model::ShortId, Place, KeyHash> places;
  };
  void open_index();
  Shard& shard(const model::ShortId& key) { return shards_[key.back() % shards_.size()]; }

  repo::Transaction& transaction_;
  const repo::LocalState& local_;
  const repo::History& history_;
  std::set<model::TransactionId> committed_;
  std::array<Shard, 16> shards_;
  Once opened_;
  std::unique_ptr<repo::Index> index_;
  std::mutex addition_mutex_;  // guards addition_
  std::optional<repo::Index::Addition> addition_;
};

}  // namespace holdfast::flow
