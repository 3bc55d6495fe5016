// Chunks: plain texts of chunks for many readers at once, from a store that may be slow or fail. Threads of
// its own fetch them, each chunk once for all who wait for it, and keep the last ones within a limit. A
// reader waits for so long and no longer; the fetch goes on meanwhile, so that a later try finds the chunk.
// Nothing is remembered of a failure. Thread-safe.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>

#include "base/task_group.h"
#include "mount/lru.h"
#include "repo/chunk_reader.h"

namespace holdfast::mount {

struct Plain {
  Buffer bytes;
  model::ShortId id{};
  model::ChunkType type{};
};
using PlainPtr = std::shared_ptr<const Plain>;

struct ChunksOptions {
  std::uint64_t cache_bytes_max = 64 * kMiB;
  unsigned workers = 4;
  std::int64_t patience_ns = 60'000'000'000;
};

class Chunks {
 public:
  // `repository` outlives this.
  Chunks(const repo::Repository& repository, const repo::LogState& log, ChunksOptions options);

  // Errors are those of ChunkReader; unreachable where it took too long, stopped where `stop` was requested.
  Result<PlainPtr> get(const model::Address& address, std::stop_token stop);
  // Fetches it beforehand, where nobody waits for others. Forgotten where too many are asked for.
  void prefetch(const model::Address& address);

  std::uint64_t fetches() const;
  std::uint64_t cached_bytes() const;

 private:
  struct Fetch {
    model::Address address;
    bool wanted = false;   // somebody waits
    bool started = false;  // by a worker
    bool done = false;
    PlainPtr plain{};
    std::optional<Error> error{};
  };
  using FetchPtr = std::shared_ptr<Fetch>;

  Result<void> work(const repo::LogState& log, std::stop_token stop);
  FetchPtr take();  // under mutex_
  void finish(Fetch& fetch, Result<PlainPtr> result);

  const repo::Repository& repository_;
  const ChunksOptions options_;
  mutable std::mutex mutex_;  // guards all below
  std::condition_variable_any work_, done_;
  std::map<model::Address, FetchPtr> pending_;
  std::deque<FetchPtr> wanted_, ahead_;
  Lru<model::Address, PlainPtr> cache_;
  std::uint64_t fetches_ = 0;
  TaskGroup workers_;
};

}  // namespace holdfast::mount
