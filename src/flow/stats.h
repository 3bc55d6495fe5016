// How much is in snapshots: as a restore gives it back, as different contents, as it is stored.
#pragma once

#include "repo/tree_reader.h"

namespace holdfast::flow {

struct Stats {
  std::uint64_t snapshots = 0;
  std::uint64_t files = 0;        // entries; regular files of different content
  std::uint64_t bytes = 0;        // plain; in raw_stats: as stored
  std::uint64_t plain_bytes = 0;  // raw_stats only
  std::uint64_t blobs = 0;        // raw_stats only
};

using Snapshots = std::vector<const repo::Snapshot*>;

// What restoring all of them would give back, by what their commits say.
Stats restore_stats(const Snapshots& snapshots);
// Each content counted once, told apart by where it is stored.
Result<Stats> content_stats(repo::ChunkReader& chunks, const Snapshots& snapshots, std::stop_token stop);
// Chunks that the snapshots need, each once, by the manifests.
Result<Stats> raw_stats(const repo::Repository& repository, const Snapshots& snapshots, std::stop_token stop);

}  // namespace holdfast::flow
