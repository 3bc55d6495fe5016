// ChunkMaker: the stored form of a chunk, proved: what was compressed is decompressed again and compared with
// the chunk's id before it is given away, so that a bit that memory or the compressor got wrong can't become
// a backup (decision 8). A form that does not stand the test is made anew once. Raw chunks are as they are;
// for them, and for all that happens between here and the sealed frame, PackWriter looks. One thread at a
// time.
#pragma once

#include <functional>

#include "compress/compress.h"
#include "repo/pack_writer.h"

namespace holdfast::repo {

class ChunkMaker {
 public:
  // The key outlives this.
  explicit ChunkMaker(const crypto::Key& id_key) : id_key_(id_key) {}

  // `id` is the chunk's. Without a level, or where it does not pay, the chunk stays raw. What is returned
  // refers to `plain`, or to memory that is good until the next call. Errc::failed where the machine can't be
  // trusted.
  Result<NewChunk> make(model::ChunkType type, const model::ChunkId& id, Bytes plain,
                        std::optional<int> level);

  std::function<void(MutableBytes compressed)> disturb;  // for tests: memory that gets a bit wrong

 private:
  bool reads_back(model::ChunkType type, const model::ChunkId& id, std::size_t plain_bytes);

  const crypto::Key& id_key_;
  compress::Compressor compressor_;
  compress::Decompressor decompressor_;
  Buffer compressed_;
  Buffer again_;
};

}  // namespace holdfast::repo
