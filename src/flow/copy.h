// copy: puts snapshots of one repository into another. Where the two share their content secret (`init
// --like`), chunks keep their ids, and what the destination has is not read; otherwise all is read and
// identified anew. Each chunk is copied once however many snapshots of the run need it.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "flow/observer.h"
#include "repo/local_state.h"
#include "repo/repository.h"

namespace holdfast::flow {

struct CopiedSnapshot {
  std::string from;          // id in the source
  std::string to;            // id in the destination
  bool was_there = false;    // copied before: nothing was done
  std::uint64_t chunks = 0;  // stored in the destination for this snapshot, tree included
  std::uint64_t plain_bytes = 0;
  std::uint64_t stored_bytes = 0;
};

struct CopyReport {
  std::vector<CopiedSnapshot> snapshots;  // in the order given
};

// `local` is the destination's, of the key domain to copy into. A copy keeps host, user, program, paths,
// tags, excludes, times, mode and statistics, not its id. Every snapshot is a transaction of its own: after
// an error or stop those before it are there, and a later run skips them.
//
// A snapshot counts as copied before where the destination has one that is not forgotten, of the same host,
// user, program, paths, times, statistics and totals, whose tree has the same entries: names, attributes,
// times, sizes, shape of the content, and with a shared secret the ids of chunks. The record alone would not
// do: times can be given by hand.
Result<CopyReport> copy(const repo::Repository& from, const std::vector<const repo::Snapshot*>& snapshots,
                        const repo::Repository& to, repo::LocalState& local, Observer& observer,
                        std::stop_token stop);

// Whether all that the snapshot needs was stored by these.
Result<bool> needs_only(const repo::Repository& repository, const repo::Snapshot& snapshot,
                        const std::set<model::TransactionId>& these, std::stop_token stop);

// Copies within one repository that share nothing with what they are copied from; see rekey.h.
struct Renewal {
  std::set<model::TransactionId> fresh;  // all that the copies may share chunks with
  // Called when the copy is there, and was read back and compared with the old one.
  std::function<Result<void>(const repo::Snapshot& old, const CopiedSnapshot& copied)> done;
};
Result<CopyReport> renew(const repo::Repository& repository, const repo::History& history,
                         const std::vector<const repo::Snapshot*>& snapshots, const Renewal& renewal,
                         repo::LocalState& local, Observer& observer, std::stop_token stop);

}  // namespace holdfast::flow
