// ChunkCopier: brings chunks from one repository into a transaction of another, each once, and knows where
// they are there. One thread at a time.
#pragma once

#include "compress/compress.h"
#include "flow/deduplicator.h"
#include "repo/chunk_maker.h"
#include "repo/chunk_reader.h"

namespace holdfast::flow {

// Whether equal chunks have equal ids under both.
bool same_ids(const repo::DomainKeys& a, const repo::DomainKeys& b);

class ChunkCopier {
 public:
  ChunkCopier(const repo::Repository& from, const repo::LogState& log);

  // All that follows goes into `transaction`; the three outlive the next begin().
  void begin(repo::Transaction& transaction, repo::ChunkWriter& chunks, Deduplicator& known);

  struct Copied {
    model::Address address;
    model::ShortId id{};
  };
  Result<Copied> copy(const model::Address& address, std::stop_token stop);

  // Since begin().
  std::uint64_t chunks() const { return count_; }
  std::uint64_t plain_bytes() const { return plain_bytes_; }
  std::uint64_t stored_bytes() const { return stored_bytes_; }

 private:
  Result<Copied> bring(const model::Address& address, std::stop_token stop);
  Result<void> load(const model::Address& address, const repo::DirectoryEntry& entry,
                    const repo::DomainKeys& theirs, std::stop_token stop);
  Result<Copied> put(const model::ChunkId& id, const repo::DirectoryEntry& entry, std::stop_token stop);
  void remember_members(const model::Address& address);

  const repo::Repository& from_;
  repo::ChunkReader reader_;
  repo::ChunkMaker maker_;
  compress::Decompressor decompressor_;
  repo::Transaction* transaction_ = nullptr;
  repo::ChunkWriter* chunks_ = nullptr;
  Deduplicator* known_ = nullptr;
  std::map<model::Address, Copied> copied_;  // of this run, by the address in the source
  Buffer plain_, stored_;                    // of the chunk under way
  repo::Codec codec_ = repo::Codec::raw;
  std::uint64_t stored_sum_ = 0;
  std::uint64_t count_ = 0, plain_bytes_ = 0, stored_bytes_ = 0;
};

}  // namespace holdfast::flow
