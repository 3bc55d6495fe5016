// Looking for entries in snapshots, by name, type and time.
#pragma once

#include <functional>
#include <optional>

#include "repo/tree_reader.h"
#include "source/pattern.h"

namespace holdfast::flow {

struct FindSpec {
  source::Rules patterns;             // an entry whose name or path one of these matches
  std::optional<model::Time> oldest;  // mtime at or after
  std::optional<model::Time> newest;  // mtime at or before
  std::optional<model::FileType> type;
  std::string below;  // only under this path; without '/' at either end
};

// How many matched. Memory is O(leaf).
Result<std::uint64_t> find(repo::ChunkReader& chunks, const model::Commit& commit, const FindSpec& spec,
                           const std::function<void(const model::Entry&)>& on_match, std::stop_token stop);

}  // namespace holdfast::flow
