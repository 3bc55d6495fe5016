// What differs between two snapshots: both trees merged in order, subtrees that they share skipped by their
// addresses.
#pragma once

#include <functional>

#include "repo/tree_reader.h"

namespace holdfast::flow {

enum class Change : std::uint8_t {
  added,
  removed,
  content,   // a regular file's bytes, a link's target, a device's number
  metadata,  // owner, mode, times, xattrs only
  type,      // a file became a directory, …
};

struct DiffSpec {
  std::string from_path,
      to_path;  // compare only what is below these, as if they were the tops; without '/' at the ends
  bool metadata = false;  // tell of changes of metadata alone
};

struct DiffCounts {
  std::uint64_t files = 0, dirs = 0, others = 0;
};
struct DiffReport {
  DiffCounts added, removed;
  std::uint64_t changed_files = 0;
};

// `path` is relative to the tops.
using OnChange = std::function<void(Change change, std::string_view path, const model::Entry& entry)>;

Result<DiffReport> diff(repo::ChunkReader& chunks, const model::Commit& from, const model::Commit& to,
                        const DiffSpec& spec, const OnChange& on_change, std::stop_token stop);

// What of an entry is another in `b` than in `a`; nothing where it is the same. Contents that the extents
// don't tell apart are read.
Result<std::optional<Change>> change_between(repo::ChunkReader& chunks, const model::Entry& a,
                                             const model::Entry& b, std::stop_token stop);

// Chunks that one reference set has and the other lacks, by what the manifests say of them.
struct BlobCounts {
  std::uint64_t data_blobs = 0, tree_blobs = 0;
  std::uint64_t plain_bytes = 0, stored_bytes = 0;
};
Result<BlobCounts> blobs_only_in(const repo::Repository& repository, const model::References& these,
                                 const model::References& others, std::stop_token stop);

}  // namespace holdfast::flow
