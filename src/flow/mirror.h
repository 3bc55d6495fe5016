// mirror: a verbatim copy of a repository, object by object, without any key. What is copied is verified on
// the way: every frame of a pack against the pack's table, the two copies inside a small object against their
// digests. A spare part that is damaged (one copy, a header) is written whole again; whatever else is damaged
// at the source is not copied, and said.
//
// At every moment the target is an older state of the source, or that and objects nobody refers to yet. So
// the order is: the log's names are listed first, then the fates, then everything else; packs, then manifests
// and pages are copied; if the log has grown since, all begins again (what is there is kept); then the log in
// order, then fates. docs/decisions/0013-mirror.md has the argument, and where it has a gap. Nothing is
// overwritten; what is there with the right size is kept, so an interrupted run goes on where it was.
#pragma once

#include "flow/check.h"
#include "storage/storage.h"

namespace holdfast::flow {

struct MirrorSpec {
  bool verify = false;   // read and compare what the target has already, too
  bool dry_run = false;  // only count
  unsigned workers = 0;  // 0: one per processor
};

struct MirrorReport {
  std::uint64_t objects = 0;                   // of the source, as listed last
  std::uint64_t there = 0;                     // of which the target had these before
  std::uint64_t copied = 0, copied_bytes = 0;  // in a dry run: would be
  std::uint64_t verified = 0;                  // that were there, and are what the source has
  std::uint64_t secrets_destroyed = 0;         // in the target, of key domains that were erased
  std::vector<std::string> secrets_left;       // those that could not be; told to the observer
  std::uint64_t vanished = 0;                  // a prune of the source removed them meanwhile
  std::uint64_t passes = 0;                    // more than one: the source's log grew meanwhile
  std::uint64_t not_copied = 0;                // damaged at the source
  std::vector<std::string> only_in_target;     // names; told by nothing why
  std::vector<Finding> findings;

  // 13 where anything is damaged, else 0.
  int exit_code() const;
};

// Errors: no_repository; usage where the target is another repository, or no repository and not empty;
// conflict where the target's log is not the beginning of the source's (somebody writes to the target, or the
// source was set back), or where the source does not hold still; damaged where the log can't be copied to its
// end: the target stays at an older state; and what the stores say. After any error the next run goes on.
Result<MirrorReport> mirror(storage::Storage& from, storage::Storage& to, const MirrorSpec& spec,
                            Observer& observer, std::stop_token stop);

struct MirrorRemovals {
  std::uint64_t objects = 0, bytes = 0;
  std::vector<std::string> unexplained;  // only in the target, and its log does not say DELETE: kept
};

// Removes from the target, an opened mirror, what the source does not have any more, and only where the
// target's own copy of the log says that it was deleted, and has what took its place. To be called after
// mirror() succeeded. Errors: denied where this key may not read the log; damaged.
Result<MirrorRemovals> mirror_removals(const repo::Repository& target, storage::Storage& from, bool dry_run,
                                       Observer& observer, std::stop_token stop);

}  // namespace holdfast::flow
