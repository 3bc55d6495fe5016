// PackWriter: makes one pack. Chunks go in as they are to be stored; frames are sealed, hashed and
// added to the parity as soon as they are full, and stream to a spool, so that a pack of any size
// needs about 4 MiB of memory. One thread at a time.
#pragma once

#include "parity/parity.h"
#include "repo/pack_format.h"
#include "storage/storage.h"

namespace holdfast::repo {

struct PackContext {
  RepositoryId repository;
  const SessionKey& session;
  const crypto::Key& index;
  Random& random;
};

struct NewChunk {
  model::ChunkId id;
  model::ChunkType type;
  Codec codec;
  std::uint32_t plain_bytes;
  Bytes stored;
};

class PackWriter {
 public:
  // Data frames after which a pack is full: about 64 MiB. Its stripes then are kFullStripes for any
  // directory.
  static constexpr std::uint32_t kFullFrames = 1080;

  PackWriter(storage::Storage& storage, const PackContext& context, model::PackId id);

  model::PackId id() const { return identity_.pack; }
  bool empty() const { return directory_.empty(); }
  bool full() const;
  // Bytes of chunks so far.
  std::uint64_t stream_bytes() const { return stream_bytes_; }

  // The slot that the chunk gets.
  Result<std::uint32_t> add(const NewChunk& chunk);

  // Seals what is open and puts the pack; not durable until the store's barrier. Call once, if not empty().
  Result<model::ManifestPack> finish(std::stop_token stop);

 private:
  Result<void> start(std::uint8_t frame_log2);
  Result<void> emit_full_frames();
  Result<void> emit(FrameCipher& cipher, Bytes plain);
  Result<void> emit_rest(FrameCipher& cipher, Bytes plain);
  Result<void> emit_parity();
  Result<void> recompute_parity(const parity::Layout& layout);
  Result<void> write(Bytes bytes);
  Result<void> flush();

  storage::Storage& storage_;
  const crypto::Key& session_;
  const crypto::Key& index_;
  Identity identity_;
  Buffer header_;
  std::unique_ptr<storage::Spool> spool_;  // null until the first frame
  std::optional<FrameCipher> cipher_;
  std::optional<parity::Accumulator> parity_;
  Buffer pending_;              // chunk stream not yet in frames
  std::size_t pending_at_ = 0;  // where it begins
  Buffer out_;                  // written, not yet handed to the spool
  Buffer frame_;
  Buffer table_;
  std::uint32_t frames_ = 0;
  std::uint64_t stream_bytes_ = 0;
  std::vector<DirectoryEntry> directory_;
};

}  // namespace holdfast::repo
