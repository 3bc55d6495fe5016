// A range of an image or a database file: cut in blocks of 1 MiB at fixed places; where the file was there
// last time, only the pages that changed are stored, gathered in chunks of their own. Needs no earlier chunk,
// only the hashes of its pages, so a host that may not read the repository can do it.
#pragma once

#include "flow/patch.h"
#include "flow/storer.h"

namespace holdfast::flow {

inline constexpr std::size_t kPageBytes = 4096;
inline constexpr std::size_t kBlockBytes = kMiB;
inline constexpr std::size_t kBlockPages = kBlockBytes / kPageBytes;

// Files that are cut in blocks: large, and a whole number of pages.
inline bool is_paged(std::uint64_t size_bytes) {
  return size_bytes > kBundledFileBytesMax && size_bytes % kPageBytes == 0;
}

class PageRange {
 public:
  PageRange(Storer& storer, Range& range, source::Content& content);
  Result<void> store(std::stop_token stop);

 private:
  Result<bool> read_block(std::uint64_t from, std::size_t length);
  void hash_pages(std::size_t first_page, Bytes block);
  Result<void> store_block(std::uint64_t from, Bytes block, std::stop_token stop);
  bool worth_patching(const std::vector<model::Extent>& old, const std::vector<bool>& changed) const;
  Result<void> store_changed(const std::vector<model::Extent>& old, const std::vector<bool>& changed,
                             Bytes block, std::stop_token stop);
  std::vector<model::Extent> old_extents(std::uint64_t from, std::uint64_t to);

  Storer& storer_;
  Range& range_;
  source::Content& content_;
  Buffer block_;
  Patch patch_;
  std::vector<model::Address> sparse_;  // old chunks of which less than half is in use
  std::size_t old_at_ = 0;              // cursor in range_.before
  std::uint64_t old_from_ = 0;          // file offset where that extent begins
};

}  // namespace holdfast::flow
