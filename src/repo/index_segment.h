// IndexSegment: one immutable file of sorted index entries, open for reading. find() is
// thread-safe. Whatever doesn't authenticate, or can't be read, is reported as damage; the index then
// forgets the segment. Filters are loaded partition by partition when first asked and stay resident;
// they are read rather than mapped, so that a truncated file or a bad sector is an error here, never
// a SIGBUS in a backup.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "base/fd.h"
#include "base/once.h"
#include "repo/index_layout.h"

namespace holdfast::repo {

// "segment-" and the first half of the salt in hex.
std::string segment_name(const SegmentSalt& salt);

class IndexSegment {
 public:
  // Error where header or tables are damaged, or the name doesn't fit.
  static Result<std::shared_ptr<IndexSegment>> open(Fd file, const std::string& name,
                                                    const crypto::Key& cache_key);
  ~IndexSegment();

  // Nothing where the key isn't in. Errors are damage, and are remembered.
  Result<std::optional<IndexEntry>> find(const KeyHalves& key) const;
  const std::string& name() const { return name_; }
  const SegmentTables& tables() const { return tables_; }
  const model::TransactionId& transaction(std::uint32_t ordinal) const {
    return tables_.transactions[ordinal];
  }
  bool covers(const model::TransactionId& id) const;
  std::uint64_t bytes() const { return bytes_; }
  // Bytes of filters now in memory.
  std::uint64_t bytes_resident() const { return bytes_resident_; }
  bool damaged() const { return damaged_; }
  void mark_damaged() const { damaged_ = true; }
  const Fd& file() const { return file_; }

  // Goes through all entries in ascending order, a few pages at a time. One thread's own.
  class Cursor {
   public:
    explicit Cursor(std::shared_ptr<const IndexSegment> segment);
    // Moves to the next entry; false at the end.
    Result<bool> next();
    const IndexEntry& entry() const { return entry_; }
    const IndexSegment& segment() const { return *segment_; }

   private:
    Result<void> load();
    std::shared_ptr<const IndexSegment> segment_;
    crypto::Aead aead_;
    Buffer sealed_;
    Buffer plain_;
    std::uint64_t pages_loaded_ = 0;
    std::size_t pages_left_ = 0;  // of those in plain_
    std::optional<PageView> page_;
    std::size_t at_ = 0;  // in page_
    IndexEntry entry_;
  };

 private:
  // One thread's decryption state and the last page it read.
  class Reader;
  struct Filter {
    Once once;
    BinaryFuse8 filter;
  };
  IndexSegment(Fd file, std::string name, crypto::Key key, SegmentTables tables, std::uint64_t bytes);
  Result<bool> may_contain(Reader& reader, const KeyHalves& key) const;
  Result<BinaryFuse8> load_filter(Reader& reader, std::size_t partition) const;
  Result<std::optional<IndexEntry>> find_with(Reader& reader, const KeyHalves& key) const;

  const Fd file_;
  const std::string name_;
  const crypto::Key key_;
  const SegmentTables tables_;
  const std::uint64_t bytes_;
  const std::unique_ptr<Filter[]> filters_;
  mutable std::atomic<std::uint64_t> bytes_resident_ = 0;
  mutable std::atomic<bool> damaged_ = false;
  mutable std::mutex mutex_;  // guards idle_
  mutable std::vector<std::unique_ptr<Reader>> idle_;
};

}  // namespace holdfast::repo
