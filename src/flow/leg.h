// A leg: one transaction of a backup run, from the beginning of the walk to a snapshot or to a checkpoint. A
// long run is a sequence of legs, each built upon the checkpoint before it, so that a crash loses no more
// than the last one. Legs share the run's id: each commit supersedes the run's checkpoints before it
// (decision 2).
#pragma once

#include "flow/archive.h"

namespace holdfast::flow {

// What the legs of a run share, and what one hands on to the next.
struct Run {
  source::Source& source;
  const repo::Repository& repository;
  repo::LocalState& local;
  const BackupSpec& spec;
  Observer& observer;
  repo::History history;  // and then the run's own checkpoints
  model::RunId id{};
  model::Time start;
  std::string series{};          // file of the local copy; "" where nothing is remembered
  std::int64_t interval_ns = 0;  // between checkpoints; 0: none
  // Handed on.
  std::optional<model::TransactionId> checkpoint{};  // the run's last one
  BackupReport stored{};                             // only the counts of chunks
  Told told{};
};

struct LegResult {
  Archive::End end = Archive::End::complete;
  BackupReport report;  // its `snapshot` may be a checkpoint; nothing where nothing was committed
};

// On an error, and where nothing is to be committed, the leg's transaction is withdrawn.
Result<LegResult> run_leg(Run& run, std::stop_token stop);

}  // namespace holdfast::flow
