// The story of a restore: tree → plan in tree order → chunks → sink. Files are restored by several threads;
// each bundle is read once for its neighbours.
#pragma once

#include <functional>

#include "flow/observer.h"
#include "repo/tree_reader.h"
#include "sink/directory.h"

namespace holdfast::flow {

struct RestoreSpec {
  // Restore what is below this path of the snapshot, as if it were the top; "" restores everything under its
  // full path.
  std::string subpath;
  // If not empty: just these paths and what is below them (full paths of the snapshot, without leading '/').
  std::vector<std::string> only;
  // Which entries are restored (by full path); directories are made as needed. Null: all.
  std::function<bool(const model::Entry& entry)> wanted;
  bool delete_others = false;  // remove what the snapshot does not have, in directories that are restored
  bool verify = false;         // read everything back and compare
  bool dry_run = false;
  // Files in the order of their mtimes, the newest first, instead of that of the tree. Some data is read more
  // than once for it, and the tree again for every so many bytes of entries.
  bool newest_first = false;
  std::uint64_t newest_first_bytes = 32 * kMiB;
  unsigned workers = 0;  // 0: one per processor
};

struct RestoreReport {
  std::uint64_t files = 0, files_restored = 0, files_skipped = 0, files_deleted = 0;
  std::uint64_t directories = 0, others = 0;
  std::uint64_t bytes = 0, bytes_restored = 0;  // of the selected files; seen to
  // Really written; and found to be right in files that were there.
  std::uint64_t bytes_written = 0, bytes_matched = 0;
  std::uint64_t verified_files = 0;
  std::uint64_t problems = 0;  // objects that are not as they were: exit code 3
};

// Errors of single objects go to the observer and are counted; an error returned ended the restore.
Result<RestoreReport> restore(const repo::Repository& repository, const repo::LogState& log,
                              const model::Root& root, const RestoreSpec& spec, sink::DirectorySink& sink,
                              Observer& observer, std::stop_token stop);

}  // namespace holdfast::flow
