// The bytes of a file of a snapshot, in order, holes as what they are.
#pragma once

#include <functional>

#include "repo/chunk_reader.h"

namespace holdfast::flow {

struct ContentSink {
  std::function<Result<void>(Bytes)> bytes;
  std::function<Result<void>(std::uint64_t length)> hole;
};

Result<void> read_content(repo::ChunkReader& chunks, const model::Entry& entry, const ContentSink& sink,
                          std::stop_token stop);

// Whether two regular files hold the same bytes: told by their extents where that is possible, else by
// reading both.
Result<bool> same_content(repo::ChunkReader& chunks, const model::Entry& a, const model::Entry& b,
                          std::stop_token stop);

}  // namespace holdfast::flow
