// Storer: reads what a job names, cuts it, looks whether the repository has it, compresses, seals, packs:
// from the first byte to the last on one core, while the data is in its cache. One thread each.
#pragma once

#include <atomic>

#include "flow/backup.h"
#include "flow/deduplicator.h"
#include "flow/job.h"
#include "flow/piece_store.h"
#include "repo/chunk_maker.h"

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
  PieceStore& pieces;
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
  // Whether the pieces of what is stored are remembered, so that a changed file can be recognised by them.
  enum class Remember : std::uint8_t { nothing, pieces };
  // A member of the bundle in the making: where its bytes are, and which extents of its content they are.
  struct Inside {
    Member* member;
    model::ShortId id;
    std::vector<std::size_t> extents;
    std::uint32_t offset, length;
  };
  struct Stored {
    model::Address address;
    bool compressed = false;
  };

  Result<void> store_bundle(std::vector<Member>& members, std::stop_token stop);
  void read_member(Member& member);
  void take_in(Member& member, std::vector<Inside>& inside);
  std::vector<Part> divide(OldPieces& old, Bytes bytes);
  Result<void> store_range(Range& range, std::stop_token stop);
  Result<void> store_by_content(Range& range, source::Content& content, std::stop_token stop);
  Result<void> store_by_pages(Range& range, source::Content& content, std::stop_token stop);
  friend class PageRange;
  friend class ContentRange;

  struct Data {
    repo::ChunkName name;
    std::optional<model::Extent> known;  // a chunk that the repository has, or a hole if it is all zeros
  };
  Data look_up(Bytes data);
  // A chunk that was looked up and is not known.
  Result<model::Extent> store_unknown(const repo::ChunkName& name, Bytes data, Remember remember,
                                      std::stop_token stop);
  // Stored unless it is known.
  Result<model::Extent> store_data(Bytes data, Remember remember, std::stop_token stop);
  Result<Stored> store_new(model::ChunkType type, const repo::ChunkName& name, Bytes plain,
                           std::stop_token stop);
  void remember_pieces(const model::Address& chunk, const std::vector<Bytes>& files);
  int level(model::ChunkType type) const;
  bool halted(const std::stop_token& stop) const {
    return stop.stop_requested() || context_.halt.stop_requested();
  }

  StoreContext context_;
  const repo::DomainKeys& keys_;
  const chunk::Limits& limits_;
  repo::ChunkWriter chunks_;
  repo::ChunkMaker maker_;
  PieceCutter cutter_;
  model::PackId pack_;  // in which the last chunk was put
  Buffer window_;       // of the file being cut
  Buffer bundle_;       // contents of members, end to end
};

bool all_zero(Bytes data);
model::Extent hole(std::uint64_t length);
// Adds to the end of a file's content, joining what continues.
void append_extent(std::vector<model::Extent>& content, const model::Extent& extent);

}  // namespace holdfast::flow
