// Index: which chunks the repository has, and where. A local cache for deduplication, rebuildable from the
// manifests; no deletion ever reads it. Whatever happens to it (damage, a missing file, a full
// disk, a wrong key) it behaves as if it knew less: find() gives nothing, covers() says no, add() gives
// up; never an error, never a record that wasn't added under this key. healthy() tells. A lookup costs
// a filter in memory (about 1.2 bytes a chunk) and, for a hit, one 4 KiB read; on disk a chunk takes about
// 34 bytes. All calls are thread-safe; several processes may share a folder.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/random.h"
#include "crypto/secret.h"
#include "model/address.h"

namespace holdfast::repo {

class IndexDirectory;
class IndexSegment;
using IndexSegments = std::vector<std::shared_ptr<IndexSegment>>;

// The first half of a chunk's keyed id: uniform, which the layout relies on for speed.
using IndexKey = std::array<std::uint8_t, 16>;

// A chunk or a member of a bundle: `length` bytes at `offset` of the plain text of the chunk at `address`.
struct IndexRecord {
  IndexKey key{};
  model::Address address;
  std::uint32_t offset = 0;
  std::uint32_t length = 0;
  bool operator==(const IndexRecord&) const = default;
};

struct IndexLimits {
  // Segments beyond that are dropped, oldest first: costs deduplication only. Merging needs the
  // size of its inputs on top for the time it lasts.
  std::uint64_t bytes_max = 64 * kGiB;
  // Records sorted in memory at once, 40 bytes each; more are sorted on disk.
  std::uint32_t run_records = 1 << 20;
};

// True for packs that are deleted: a merge leaves their records out. Called in any order.
using PackGone = std::function<bool(const model::PackId&)>;

struct IndexUsage {
  std::size_t segments = 0;
  std::uint64_t records = 0;  // with duplicates
  std::uint64_t bytes_disk = 0;
  std::uint64_t bytes_resident = 0;  // of filters
};

class Index {
 public:
  enum class Merge {
    due,  // eight or more segments of a size into one: to be called after adding
    all,  // everything into one
  };

  // `random` outlives the index; it salts keys.
  static std::unique_ptr<Index> open(const std::string& directory, crypto::Key cache_key,
                                     const IndexLimits& limits = {}, Random& random = system_random());
  ~Index();

  // The newest record of the key. It may be of a pack deleted since: ask the log.
  std::optional<IndexRecord> find(const IndexKey& key) const;
  // As find for each; a page that serves several of the keys is read once. Keys ascending.
  std::vector<std::optional<IndexRecord>> find_batch(std::span<const IndexKey> keys) const;
  // True where the transaction's records were added: its manifests needn't be read again.
  bool covers(const model::TransactionId& id) const;

  // Takes any number of records in any order in bounded memory; nothing is visible before commit().
  // One thread; the index outlives it. Left without commit it leaves nothing.
  class Addition;
  Addition addition();
  // All at once. False where it gave up.
  bool add(std::span<const IndexRecord> records, std::span<const model::TransactionId> covered,
           std::stop_token stop = {});

  // Bounded memory. False where it gave up, or `stop` was requested: all stays as it was.
  bool merge(Merge which, const PackGone& gone = {}, std::stop_token stop = {});

  // False once damage was met or something couldn't be written, since open.
  bool healthy() const { return healthy_; }
  IndexUsage usage() const;

 private:
  struct State;
  struct Run;
  Index(std::unique_ptr<IndexDirectory> directory, const IndexLimits& limits);
  std::shared_ptr<const State> state() const;
  State load() const;
  bool commit(const std::function<bool(State&)>& change);
  void trim(State& state) const;
  std::optional<IndexRecord> find_in(const State& state, const IndexKey& key) const;
  void forget(const IndexSegment& segment) const;
  bool publish(std::shared_ptr<IndexSegment> segment, std::vector<model::TransactionId> covered);
  bool merge_some(const IndexSegments& inputs, const PackGone& gone, std::stop_token stop);

  const std::unique_ptr<IndexDirectory> directory_;
  const IndexLimits limits_;
  mutable std::atomic<bool> healthy_ = true;
  mutable std::mutex mutex_;  // guards the pointer state_
  std::shared_ptr<const State> state_;
};

class Index::Addition {
 public:
  explicit Addition(Index& index);
  ~Addition();
  Addition(Addition&&) noexcept;
  // Of several records of one key the last put stays.
  void put(const IndexRecord& record);
  // Makes all that was put findable, and `covered` covered. Once. False where it gave up.
  bool commit(std::span<const model::TransactionId> covered, std::stop_token stop = {});

 private:
  void spill();
  Index& index_;
  std::unique_ptr<Run> run_;
};

}  // namespace holdfast::repo
