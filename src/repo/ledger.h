// Ledger: which pack objects were read and verified in full, and when. A memory of this machine, one sealed
// file in the repository's cache folder: deleted, damaged or of another key, everything counts as never
// verified. It decides only what a check reads first and what is said of the rest, never whether something is
// good. Not thread-safe; of two processes that save at once both are heard, but for entries one of them
// drops.
#pragma once

#include <map>
#include <optional>

#include "repo/local_state.h"
#include "repo/names.h"

namespace holdfast::repo {

class Ledger {
 public:
  // Bounds the file (32 MiB) and the memory (some 100 MiB); what was verified longest ago is dropped first.
  static constexpr std::size_t kEntriesMax = std::size_t{1} << 20;

  // What `local` remembers; of times yet to come nothing, as the clock was wrong then. Never fails.
  static Ledger open(const LocalState& local, Random& random, const Clock& clock);

  // Seconds since 1970-01-01, by this machine's clock then.
  std::optional<std::int64_t> verified_at(const PackObject& pack) const;
  void verified(const PackObject& pack, std::int64_t seconds);
  // It was found damaged: not verified any more.
  void forget(const PackObject& pack);
  // Drops all others: they are gone.
  void keep_only(const std::vector<PackObject>& packs);
  // When anything was verified last.
  std::optional<std::int64_t> newest() const;
  std::size_t size() const { return entries_.size(); }

  // Takes the place of what was there; false where that can't be: then it will have to be done again.
  bool save();

 private:
  using Key = std::pair<model::PackId, std::uint32_t>;
  using Entries = std::map<Key, std::int64_t>;
  Ledger(std::string path, const crypto::Key& key, Random& random, const Clock& clock)
      : path_(std::move(path)), key_(key.copy()), random_(random), clock_(clock) {}
  Entries load() const;

  std::string path_;  // "" where nothing can be remembered
  crypto::Key key_;
  Random& random_;
  const Clock& clock_;
  Entries entries_;
  std::set<Key> dropped_;  // since it was loaded: not to be taken over from the file again
};

}  // namespace holdfast::repo
