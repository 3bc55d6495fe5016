// The story of a backup: source → chunks → packs → tree → commit.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "flow/observer.h"
#include "repo/local_state.h"
#include "repo/repository.h"
#include "source/source.h"

namespace holdfast::flow {

// How chunks are compressed.
struct Compression {
  enum class Mode { automatic, off, level };
  Mode mode = Mode::automatic;
  int zstd_level = 3;  // for Mode::level
};

struct BackupSpec {
  std::string host;
  std::string user;
  std::string program;             // "holdfast 0.1.0"
  std::vector<std::string> paths;  // as recorded in the snapshot, absolute
  std::vector<std::string> tags;
  std::vector<std::string> excludes;
  int zone_minutes = 0;             // offset of local time from UTC
  std::optional<model::Time> time;  // recorded instead of now
  model::BackupMode mode = model::BackupMode::incremental;
  Compression compression;
  bool allow_shrink = false;       // go on where the source vanished or became empty
  bool dry_run = false;            // nothing is written
  bool skip_if_unchanged = false;  // no snapshot where nothing changed
  bool remember = true;            // keep what speeds up the next run (false for streams)
  unsigned workers = 0;            // 0: one per processor; 1: all work on the calling thread
  // About how often a long run commits a checkpoint; 0: never. Only where the source can be walked again and
  // the run is remembered.
  std::uint64_t checkpoint_interval_s = 15 * 60;
};

// Of the whole run: new, changed or not since the last snapshot, whatever checkpoints lie between.
struct BackupReport {
  std::optional<repo::Snapshot> snapshot;  // nothing in a dry run, or where skipped
  bool partial = false;                    // something was left out: exit code 3
  std::uint64_t files_new = 0, files_changed = 0, files_unmodified = 0;
  std::uint64_t dirs_new = 0, dirs_changed = 0, dirs_unmodified = 0;
  std::uint64_t others = 0;  // links, devices, …
  std::uint64_t data_blobs = 0, tree_blobs = 0;
  std::uint64_t data_added = 0;         // plain bytes of chunks stored
  std::uint64_t data_added_packed = 0;  // the same as stored
  std::uint64_t total_files = 0, total_bytes = 0;
  std::uint64_t changed_while_read = 0;
  std::uint64_t problems = 0;
};

// A long run commits checkpoints, from which the next run goes on if this one dies. When `stop` is requested,
// the files under way are given up, what was stored so far is committed as a checkpoint, and Errc::stopped is
// returned. Errc::guarded where the source vanished or became empty.
Result<BackupReport> backup(source::Source& source, const repo::Repository& repository,
                            repo::LocalState& local, const BackupSpec& spec, Observer& observer,
                            std::stop_token stop);

}  // namespace holdfast::flow
