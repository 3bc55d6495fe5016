// ChunkReader: chunks by address. Remembers open packs and, within a limit, plain texts that are likely to be
// asked for again (bundles, tree nodes). One thread at a time; several readers may share one Repository.
#pragma once

#include <functional>
#include <list>
#include <unordered_map>

#include "repo/pack_reader.h"
#include "repo/repository.h"

namespace holdfast::repo {

class ChunkReader {
 public:
  // `log` tells where packs are now. Where a pack has moved since, the log is read again; where that does not
  // help, or the log is damaged, what is in the store is read.
  ChunkReader(const Repository& repository, const LogState& log, std::uint64_t cache_bytes_max = 24 * kMiB);

  // Told of what was damaged in a pack and could be made good. May be null.
  std::function<void(const std::string& object, const std::string& note)> on_rebuilt;

  // The plain text, its id verified. Valid until the next call.
  Result<Bytes> read(const model::Address& address, std::stop_token stop);
  // The chunk as it is stored, authenticated; not decompressed, not remembered.
  Result<Buffer> read_stored(const model::Address& address, std::stop_token stop);
  // What the pack's directory says of a chunk.
  Result<DirectoryEntry> describe(const model::Address& address, std::stop_token stop);

 private:
  struct OpenPack {
    model::PackId id;
    std::unique_ptr<PackReader> reader;
    SharedDomainKeys keys;  // of its key domain
  };
  Result<Buffer> fetch(const model::Address& address, std::stop_token stop);
  // Put in front of packs_. Good until the next call.
  Result<OpenPack*> pack(const model::PackId& id, std::stop_token stop);
  Result<std::unique_ptr<PackReader>> open_pack(const model::PackId& id, std::stop_token stop);
  Result<std::unique_ptr<PackReader>> open_generation(const model::PackId& id, std::uint32_t generation,
                                                      std::stop_token stop);
  Result<std::optional<std::uint32_t>> generation_in_store(const model::PackId& id, std::stop_token stop);
  Result<void> follow_log(std::stop_token stop);
  void tell(PackReader& reader) const;

  struct Plain {
    model::Address address;
    Buffer bytes;
  };
  const Repository& repository_;
  LogState log_;
  std::uint64_t cache_bytes_max_;
  std::uint64_t cache_bytes_ = 0;
  std::list<OpenPack> packs_;  // most recently used first
  std::list<Plain> plains_;    // most recently used first
};

}  // namespace holdfast::repo
