// What of the snapshots can't be brought back by anything that this repository holds: which bytes of which
// files of which snapshots. Reads every pack that a live snapshot needs, once, then walks the trees of those
// snapshots that need a chunk that is lost. Needs the read secret.
#pragma once

#include "flow/check.h"

namespace holdfast::flow {

struct LostRange {
  std::uint64_t from = 0, to = 0;  // bytes [from, to)
  bool operator==(const LostRange&) const = default;
};

struct LostFile {
  std::string snapshot;  // id
  std::string path;
  std::uint64_t size_bytes = 0;
  std::vector<LostRange> ranges;  // ascending, apart
};

// A part of a tree is lost: nobody can tell what was there between two names.
struct LostNames {
  std::string snapshot;
  std::string after, before;  // paths; "" for the beginning or the end
};

struct LostReport {
  std::uint64_t snapshots = 0;  // that were looked at, checkpoints included
  std::vector<std::string> damaged_snapshots;
  std::vector<LostFile> files;
  std::vector<LostNames> names;
  std::vector<Finding> unreachable;  // so that nothing is known of it
  std::vector<Finding> unreadable;   // other objects that are damaged, as the check finds them

  std::uint64_t lost_bytes() const;
  bool anything() const { return !files.empty() || !names.empty() || !unreadable.empty(); }
  // 13 where anything is lost, else 16 where anything was unreachable, else 0.
  int exit_code() const;
};

Result<LostReport> find_lost(const repo::Repository& repository, unsigned workers, Observer& observer,
                             std::stop_token stop);

}  // namespace holdfast::flow
