// Storer: reads what a job names, cuts it, looks whether the repository has it, compresses, seals, packs:
// from the first byte to the last on one core, while the data is in its cache. One thread each.
#pragma once

#include <atomic>

#include "compress/compress.h"
#include "flow/backup.h"
#include "flow/deduplicator.h"
#include "flow/job.h"

namespace holdfast::flow {

struct StoreCounters {
  std::atomic<std::uint64_t> chunks{0};
  std::atomic<std::uint64_t> plain_bytes{0};
  std::atomic<std::uint64_t> stored_bytes{0};
  std::atomic<std::uint64_t> bytes_read{0};
};

// What all storers of a run share.
struct StoreContext {
  source::Source& source;
  repo::Transaction& transaction;
  Deduplicator& known;
  const chunk::GearTable& gear;
  Compression compression;
  bool dry_run = false;
  StoreCounters& counters;
  std::stop_token halt;  // jobs end at the next chunk, incomplete; what was stored still goes into its pack
};

class Storer {
 public:
  explicit Storer(const StoreContext& context);

  // A failing file is noted in its result; an error here is the repository's and ends the run, or
  // Errc::stopped.
  Result<void> run(Job& job, std::stop_token stop);
  // Puts the pack in the making.
  Result<void> finish(std::stop_token stop);

 private:
  Result<void> store_bundle(std::vector<Member>& members, std::stop_token stop);
  void read_member(Member& member);
  Result<void> store_range(Range& range, std::stop_token stop);
  Result<void> store_by_content(Range& range, source::Content& content, std::stop_token stop);
  Result<void> cut_run(Range& range, source::Content& content, std::uint64_t from, std::uint64_t to,
                       std::stop_token stop);
  Result<void> store_by_pages(Range& range, source::Content& content, std::stop_token stop);
  friend class PageRange;

  // The data as a chunk in the repository, stored unless it is there; all zeros become a hole.
  Result<model::Extent> store_data(Bytes data, std::stop_token stop);
  Result<model::Address> store_new(model::ChunkType type, const model::ChunkId& id, Bytes plain,
                                   std::stop_token stop);
  int level(model::ChunkType type) const;
  bool halted(const std::stop_token& stop) const {
    return stop.stop_requested() || context_.halt.stop_requested();
  }

  StoreContext context_;
  const repo::Repository& repository_;
  const chunk::Limits& limits_;
  repo::ChunkWriter chunks_;
  compress::Compressor compressor_;
  Buffer window_;  // of the file being cut
  Buffer bundle_;  // contents of members, end to end
  Buffer compressed_;
};

bool all_zero(Bytes data);
// Adds to the end of a file's content, joining what continues.
void append_extent(std::vector<model::Extent>& content, const model::Extent& extent);

}  // namespace holdfast::flow
