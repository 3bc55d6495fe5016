// The local copy of a series' previous tree, so that a re-backup is a merge of two sorted streams: every leaf
// with its entries, what the repository does not keep (inode, ctime), and where the leaf is stored. A sealed
// file; damage of any kind reads as "nothing remembered". One thread at a time.
#pragma once

#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "crypto/aead.h"
#include "model/tree.h"
#include "repo/local_state.h"

namespace holdfast::repo {

// Where a leaf of the previous tree came from, and how its entries relate to its base (a full leaf is its own
// base).
struct LeafOrigin {
  model::Address address;
  model::ShortId id{};
  model::Address base;
  model::ShortId base_id{};
  std::uint32_t base_entries = 0;
  std::uint32_t entries = 0;
  Buffer record;  // as in the local file, to be copied if nothing changes
};

// How one entry relates to the base of its leaf.
struct BasePosition {
  std::uint32_t position = 0;  // of the entry of this path
  bool present = false;        // the base has one of this path
  bool same = false;           // and it is equal
};

struct LocalEntry {
  model::Entry entry;
  model::Stamp stamp;
  BasePosition base;
};

struct LocalLeaf {
  std::shared_ptr<const LeafOrigin> origin;
  std::vector<LocalEntry> entries;
};

// A bundle that the tree uses: how much of it.
struct LocalBundle {
  model::Address address;
  std::uint32_t total_bytes = 0;  // of its members
  std::uint32_t live_bytes = 0;
};

// What the file says about the whole.
struct LocalSummary {
  Hash snapshot{};  // H of the fate's body
  model::TransactionId transaction;
  model::Time start;  // of that backup
  std::uint64_t files = 0;
  std::vector<std::pair<model::ShortId, model::Address>> nodes;  // inner nodes
  std::vector<LocalBundle> bundles;
  std::vector<std::pair<std::uint64_t, model::TransactionId>>
      pages;  // files with page hashes: path hash, which run's
};

class LocalTreeWriter {
 public:
  // Writes next to `path`; "" and failures of any kind: nothing is remembered.
  LocalTreeWriter(std::string path, const crypto::Key& key, Random& random);
  ~LocalTreeWriter();
  // `entries` are the leaf's, with their block already encoded.
  void add(const LeafOrigin& origin, const std::vector<LocalEntry>& entries, Bytes block);
  void add_record(Bytes record);
  // Takes the place of what was there.
  void finish(const LocalSummary& summary);

 private:
  void put(Bytes plain);
  std::string path_, temporary_;
  std::FILE* file_ = nullptr;
  crypto::Aead aead_;
  std::uint64_t records_ = 0;
  std::uint64_t size_ = 0;
  Buffer sealed_;
};

class LocalTreeReader {
 public:
  // Null where nothing usable is there.
  static std::unique_ptr<LocalTreeReader> open(const std::string& path, const crypto::Key& key);
  ~LocalTreeReader();
  const LocalSummary& summary() const { return summary_; }
  // The next leaf; false at the end. An error (damage found late) means: don't trust the rest.
  Result<bool> next(LocalLeaf& leaf);

 private:
  LocalTreeReader(std::FILE* file, crypto::Aead aead) : file_(file), aead_(std::move(aead)) {}
  bool load_summary();
  std::optional<Buffer> record();
  std::FILE* file_;
  crypto::Aead aead_;
  std::uint64_t records_ = 0;
  std::uint64_t end_ = 0;  // where the summary begins
  std::uint64_t at_ = 0;
  LocalSummary summary_;
  std::vector<model::Entry> decoded_;
};

}  // namespace holdfast::repo
