// ChunkScan: the data frames of one pack in order, opened, put together to chunks, and every chunk compared
// with its id. Holds no more than the chunks that are under way. One thread at a time.
#pragma once

#include "compress/compress.h"
#include "repo/pack_reader.h"

namespace holdfast::flow {

// Memory that one thread keeps from pack to pack.
struct ChunkBuffers {
  Buffer stream;  // of the pack's chunk stream, what is not yet checked
  Buffer plain;
  compress::Decompressor decompressor;
};

class ChunkScan {
 public:
  // `directory` is the pack's. The keys outlive this.
  ChunkScan(const std::vector<repo::DirectoryEntry>& directory, std::size_t payload_bytes,
            repo::FrameCipher cipher, const crypto::Key& id_key, ChunkBuffers& buffers);

  // The next data frame, by its number in generation 0; numbers ascend, those that relocation dropped are
  // left out. False where it does not open.
  bool add(std::uint32_t number, Bytes frame);
  // A frame that is known to be damaged.
  void add_lost(std::uint32_t number);

  std::uint64_t checked() const { return checked_; }
  // Slots whose content is not what it must be; and those of which frames are not in this object.
  const model::Slots& damaged() const { return damaged_; }
  model::Slots absent();

 private:
  MutableBytes room(std::uint32_t number);
  void settle();
  bool chunk_whole(const repo::DirectoryEntry& entry);
  bool any_lost(const repo::DirectoryEntry& entry) const;

  const std::vector<repo::DirectoryEntry>& directory_;
  const std::size_t payload_;
  repo::FrameCipher cipher_;
  const crypto::Key& id_key_;
  ChunkBuffers& buffers_;
  std::vector<std::uint32_t> order_;  // slots by where they begin
  std::size_t next_ = 0;              // in order_
  std::uint64_t from_ = 0;            // where buffers_.stream begins in the chunk stream
  std::vector<std::uint32_t> lost_;   // frame numbers, ascending
  std::uint64_t checked_ = 0;
  model::Slots damaged_, absent_;
};

}  // namespace holdfast::flow
