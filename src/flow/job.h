// What the walk hands to the threads that read and store: a bundle of small files, or a range of a large one.
// Filled in by the walk, then by one storing thread, then read by the walk once `done`.
#pragma once

#include <optional>
#include <vector>

#include "source/source.h"

namespace holdfast::flow {

// Files up to this size go into bundles.
inline constexpr std::uint64_t kBundledFileBytesMax = 128 * kKiB;
inline constexpr std::uint64_t kBundleBytes = kMiB;
inline constexpr std::uint64_t kBundleBytesMax = 2 * kMiB;
inline constexpr std::size_t kBundleMembersMax = 4096;
// Large files are cut in ranges that different threads store at once; chunks never cross them.
inline constexpr std::uint64_t kRangeBytes = 64 * kMiB;

// Where a range ends that is read to the end of a stream.
inline constexpr std::uint64_t kStreamBytesMax = std::uint64_t{1} << 62;

struct FileResult {
  std::vector<model::Extent> content;
  std::uint64_t size_bytes = 0;     // that were read
  bool changed = false;             // the file is not what the walk saw
  std::optional<Error> error;       // this file could not be read
  std::optional<Error> incomplete;  // its content could, but not all about it
};

struct Member {
  source::Item item;
  bool fresh = false;  // to be stored anew even if the repository has it: where it lies is mostly dead
  std::vector<model::Extent> before;  // what it was last time
  FileResult result;
};

// Hashes of 4 KiB pages: of a range of a file as it was last time, and as it is now. 0 stands for a page of
// zeros.
struct PageHashes {
  std::vector<std::uint64_t> before;  // empty: not known
  std::vector<std::uint64_t> now;     // empty where the range is one hole
};

struct Range {
  source::Item item;
  std::uint64_t from = 0, to = 0;
  bool last = false;                  // to is the file's end
  bool paged = false;                 // cut in blocks, compared by pages
  std::size_t extents_max = 0;        // beyond these nothing more is patched
  std::vector<model::Extent> before;  // what [from, to) was last time, or where it may have been
  PageHashes pages;
  FileResult result;
};

struct Job {
  std::vector<Member> members;  // a bundle …
  std::optional<Range> range;   // … or a range
  bool done = false;            // guarded by the pipeline
  bool incomplete = false;      // given up when the run was asked to stop; guarded by the pipeline
};

}  // namespace holdfast::flow
