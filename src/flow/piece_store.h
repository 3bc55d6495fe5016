// PieceStore: the pieces of the chunks of files, kept locally from one run to the next: one sealed file
// for each pack, 18 bytes a piece. A cache: what is damaged or missing is not known. Thread-safe.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <unordered_map>

#include "base/codec.h"
#include "flow/pieces.h"
#include "repo/local_state.h"

namespace holdfast::flow {

class PieceStore {
 public:
  explicit PieceStore(const repo::LocalState& local) : local_(local) {}

  // For cutting: the same for all runs on this machine.
  const crypto::Key& key() const { return local_.key(); }

  // The pieces of a chunk that this run stored.
  void add(const model::Address& chunk, const std::vector<Piece>& pieces);
  // No more will come for this pack.
  void close(const model::PackId& pack);

  // The pieces of a chunk that an earlier run stored; empty where not known.
  std::vector<Piece> find(const model::Address& chunk);

  // Removes what is remembered of packs that are not `wanted`, and of `unfinished` ones (another
  // run's, perhaps under way) if it is more than a week old.
  enum class Want : std::uint8_t { yes, no, unfinished };
  void sweep(const std::function<Want(const model::PackId&)>& wanted, std::int64_t now_seconds);

 private:
  struct Making {
    Encoder records;
    std::size_t pieces = 0;
  };
  struct Loaded {
    model::PackId pack;
    Buffer records;
    std::unordered_map<std::uint32_t, std::size_t> slots;  // where each one's record begins
  };
  std::string file_name(const model::PackId& pack) const;
  Loaded load(const model::PackId& pack) const;

  const repo::LocalState& local_;
  std::mutex mutex_;  // guards what follows
  std::map<model::PackId, Making> making_;
  std::list<Loaded> loaded_;  // most recently used first
};

}  // namespace holdfast::flow
