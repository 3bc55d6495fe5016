// Checks packs: their ends and directories, and where asked every byte of them; several at once, each read
// once from front to back.
#pragma once

#include "flow/check_findings.h"
#include "repo/pack_reader.h"

namespace holdfast::flow {

// What there must be of one pack.
struct PackPlan {
  repo::PackObject object;  // with its present generation
  model::Slots needed;      // by live commits
  bool named = false;       // by the manifest of a committed transaction; what it says of generation 0:
  std::uint64_t object_bytes = 0;
  Hash root{};
  Hash listing{};
  std::uint32_t slots = 0;
  bool read = false;       // all of it
  std::string wrong_size;  // of generation 0: what is wrong with it; "" if nothing
};

// Stands for the chunks of a pack, as manifest and directory list them.
Hash listing_hash(const std::vector<model::ManifestChunk>& chunks);
Hash listing_hash(const std::vector<repo::DirectoryEntry>& directory);

// What trees may refer to: of every pack that could be opened, its chunks by slot.
struct KnownChunk {
  model::ShortId id{};
  std::uint32_t plain_bytes = 0;
  model::ChunkType type = model::ChunkType::data;
};
using KnownChunks = std::map<model::PackId, std::vector<KnownChunk>>;

// Asked before each pack is begun, by several threads: false leaves it out. Told of each that was read whole,
// one call at a time. Either may be empty.
struct PackHooks {
  std::function<bool(std::size_t i)> may_begin;
  std::function<void(std::size_t i)> on_read;
};

// Counts into `report`. Errors: stopped.
Result<KnownChunks> check_packs(const repo::Repository& repository, const std::vector<PackPlan>& plans,
                                unsigned workers, CheckFindings& findings, CheckReport& report,
                                Observer& observer, const PackHooks& hooks, std::stop_token stop);

// `asked`, or where that is 0 one for each processor.
unsigned worker_count(unsigned asked);

// Calls `task(i)` for every i < count on `workers` threads.
Result<void> for_each_of(std::size_t count, unsigned workers,
                         const std::function<Result<void>(std::size_t, std::stop_token)>& task,
                         std::stop_token stop);

}  // namespace holdfast::flow
