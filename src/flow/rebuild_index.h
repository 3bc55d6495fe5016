// repair index: what this machine remembers of a repository (the index, previous trees, pieces of files),
// made anew. All of it is a cache. The index comes from the manifests of all commits; the rest comes with the
// next backup, which reads its sources again. The name under which this machine writes is kept. Thread-safe
// beside backups: at worst they know less for a while.
#pragma once

#include "flow/observer.h"
#include "repo/index.h"
#include "repo/local_state.h"

namespace holdfast::flow {

struct IndexReport {
  std::uint64_t files_removed = 0, bytes_removed = 0;
  std::uint64_t transactions = 0, chunks = 0;  // that are in the index now
  std::uint64_t unreadable = 0;                // manifests; told to the observer
};

// Errc::usage where this machine keeps no cache.
Result<IndexReport> rebuild_index(const repo::Repository& repository, const repo::LocalState& local,
                                  bool dry_run, Observer& observer, std::stop_token stop);

std::unique_ptr<repo::Index> open_index(const repo::Repository& repository, const repo::LocalState& local);
// Adds what was committed in that key domain and is not in it yet. Manifests that can't be read are told to
// `unreadable`.
using Unreadable = std::function<void(const model::TransactionId& id, const Error& error)>;
IndexReport add_commits(repo::Index& index, const repo::Repository& repository, const repo::History& history,
                        model::Domain domain, const Unreadable& unreadable, std::stop_token stop);

}  // namespace holdfast::flow
