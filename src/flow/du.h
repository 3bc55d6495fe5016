// How much the directories of a snapshot hold: as a restore gives it back, as it is stored, and what of that
// no other snapshot needs. One walk of the tree; memory is that of a path and of the hard links met.
#pragma once

#include <functional>
#include <limits>

#include "repo/tree_reader.h"

namespace holdfast::flow {

struct DuSizes {
  std::uint64_t entries = 0;  // the directory itself is one
  std::uint64_t bytes = 0;    // of regular files; holes count, further names of a hard-linked file don't
  // Parts of chunks, by their shares of the chunks as stored; what is referred to twice counts twice.
  std::uint64_t stored_bytes = 0;
  std::uint64_t only_here_bytes = 0;  // of these, in chunks that no other snapshot refers to
};

struct DuSpec {
  std::string top;  // without '/' at either end; empty: all
  std::uint64_t depth_max =
      std::numeric_limits<std::uint64_t>::max();  // below the top; sizes count all depths
  bool files = false;                             // tell of everything, not only directories
  bool stored = false;                            // reads the directories of packs
  const model::References* others = nullptr;      // of all other snapshots; with `stored`
};

// Called for each directory after all in it; paths as in the snapshot, "" for its top.
using OnSizes = std::function<void(std::string_view path, const DuSizes& sizes)>;

// Errc::not_found where the snapshot has no such top.
Result<DuSizes> disk_usage(repo::ChunkReader& chunks, const model::Root& root, const DuSpec& spec,
                           const OnSizes& on_sizes, std::stop_token stop);

}  // namespace holdfast::flow
