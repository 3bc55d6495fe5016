// PackWriter: makes one pack. Chunks go in as they are to be stored; frames are sealed, hashed and
// added to the parity as soon as they are full, and stream to a spool, so that a pack of any size
// needs about 4 MiB of memory. Every frame is opened again, and every chunk in it compared with what it was
// when it was made, so that a bit that memory or the cipher got wrong can't become a
// backup (decision 8). One thread at a time.
#pragma once

#include <deque>
#include <functional>

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

// What is computed twice from the same bytes is not the same.
Error hardware_fault(std::string what);

struct NewChunk {
  model::ChunkId id;
  model::ChunkType type;
  Codec codec;
  std::uint32_t plain_bytes;
  Bytes stored;
  std::uint64_t sum;  // parity::checksum of what is stored, from when it was made
};

class PackWriter {
 public:
  // Data frames after which a pack is full: about 64 MiB. Its stripes then are kFullStripes for any
  // directory.
  static constexpr std::uint32_t kFullFrames = 1080;

  // A pack that is written anew, as another generation, since chunks that it had lost were found elsewhere:
  // docs/format/pack.md, "Filled in". What will be in it must be known before.
  struct Anew {
    std::uint32_t generation = 0;
    std::uint64_t stream_bytes = 0;  // of the chunks that it has
    std::uint32_t slots = 0;         // all of them
    bool any_lost = false;
  };

  PackWriter(storage::Storage& storage, const PackContext& context, model::PackId id,
             std::optional<Anew> anew = {});

  model::PackId id() const { return identity_.pack; }
  bool empty() const { return directory_.empty(); }
  bool full() const;
  // Bytes of chunks so far.
  std::uint64_t stream_bytes() const { return stream_bytes_; }

  // The slot that the chunk gets.
  Result<std::uint32_t> add(const NewChunk& chunk);
  // Anew only: a slot whose chunk stays lost.
  void add_lost(const model::ManifestChunk& chunk);

  // For tests, memory that gets a bit wrong: the chunk stream before it is sealed, a frame after that.
  std::function<void(MutableBytes)> disturb_stream, disturb_frame;

  // Seals what is open and puts the pack; not durable until the store's barrier. Call once, if not empty().
  Result<model::ManifestPack> finish(std::stop_token stop);

 private:
  Result<void> start(std::uint8_t frame_log2);
  Result<KeptFrames> kept_frames() const;
  Result<void> end_data();
  Result<void> emit_full_frames();
  Result<void> emit(FrameCipher& cipher, MutableBytes plain);
  Result<void> seal_surely(FrameCipher& cipher, Bytes plain);
  Result<void> emit_chunks(MutableBytes plain);
  Result<void> emit_rest(FrameCipher& cipher, Bytes plain, bool chunks);
  Result<void> emit_parity();
  Result<void> recompute_parity(const parity::Layout& layout);
  Result<void> write(Bytes bytes);
  Result<void> flush();

  storage::Storage& storage_;
  const crypto::Key& session_;
  const crypto::Key& index_;
  Identity identity_;
  std::optional<Anew> anew_;
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
  std::uint32_t left_out_ = 0;  // frames before the next one that have a number and are not there
  std::uint64_t stream_bytes_ = 0;
  std::vector<DirectoryEntry> directory_;
  Buffer opened_;  // the last frame, read back
  struct Expected {
    std::uint32_t bytes;  // still to come out of frames
    std::uint64_t sum;
  };
  std::deque<Expected> expected_;  // chunks that frames have not given back as a whole
  std::uint64_t sum_ = 0;          // of the first of them, as far as it came
};

}  // namespace holdfast::repo
