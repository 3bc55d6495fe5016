// SegmentWriter: writes one index segment from entries in strictly ascending order of keys, in one
// pass and in bounded memory: a few pages, and one partition's filter in the making (about 7 MiB).
// merge_segments: several segments into one. One thread each. Errors: the disk's, damage of an input.
#pragma once

#include <span>
#include <stop_token>

#include "repo/index.h"
#include "repo/index_segment.h"

namespace holdfast::repo {

class SegmentWriter {
 public:
  struct Plan {
    std::uint64_t records_max = 0;  // of which the pages are so many that 4/5 of them fill
    ValueWidths widths;             // of all entries that will come
    bool filter = true;             // false for runs that will only be merged
  };
  // `file` is empty and belongs to the caller.
  SegmentWriter(int file, const SegmentSalt& salt, const crypto::Key& cache_key, const Plan& plan);

  Result<void> add(const IndexEntry& entry);
  // Writes what is left. `transactions` is by ordinal, `covered` ascending.
  Result<void> finish(std::vector<model::TransactionId> transactions,
                      std::vector<model::TransactionId> covered);

 private:
  Result<void> end_page(bool spills);
  Result<void> flush_pages();
  Result<void> end_partition();
  Result<void> seal_at(std::uint64_t offset, SegmentPart part, std::uint64_t number, Bytes plain, Bytes aad);

  const int file_;
  const SegmentSalt salt_;
  crypto::Aead aead_;
  const bool filter_;
  SegmentTables tables_;
  std::vector<IndexEntry> page_;          // entries of page number tables_.pages
  Buffer pages_;                          // sealed pages not yet written
  std::vector<std::uint64_t> partition_;  // filter keys of the partition in the making
};

// An empty file to write a segment to, and the name that its salt gives it.
struct NewSegment {
  Fd file;
  std::string name;
  SegmentSalt salt{};
};

struct MergePlan {
  std::vector<std::shared_ptr<const IndexSegment>> inputs;  // oldest first; the newest record of a key stays
  PackGone gone;                                            // may be empty
  std::vector<model::TransactionId> covered;                // beside those that the inputs cover
  bool filter = true;
};
Result<std::shared_ptr<IndexSegment>> merge_segments(const MergePlan& plan, NewSegment output,
                                                     const crypto::Key& cache_key, std::stop_token stop);

}  // namespace holdfast::repo
