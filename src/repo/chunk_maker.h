// ChunkMaker: the stored form of a chunk, proved: what was compressed is decompressed again and compared with
// what the chunk was when it got its id, before it is given away; so a bit that memory or the compressor got
// wrong can't become a backup (decision 8). A form that does not stand the test is made anew once. For what
// happens between here and the sealed frame PackWriter looks. One thread at a time.
#pragma once

#include <functional>

#include "compress/compress.h"
#include "repo/pack_writer.h"

namespace holdfast::repo {

// What a chunk is called, and the checksum of its plain text, taken before the id was computed.
struct ChunkName {
  model::ChunkId id;
  std::uint64_t sum = 0;
};
ChunkName name_chunk(const crypto::Key& id_key, model::ChunkType type, Bytes plain);

class ChunkMaker {
 public:
  // `plain` is what `name` was made of. Without a level, or where it does not pay, the chunk stays raw. What
  // is returned refers to `plain`, or to memory that is good until the next call. Errc::failed where the
  // machine can't be trusted.
  Result<NewChunk> make(model::ChunkType type, const ChunkName& name, Bytes plain, std::optional<int> level);

  std::function<void(MutableBytes compressed)> disturb;  // for tests: memory that gets a bit wrong

 private:
  bool reads_back(std::size_t plain_bytes, std::uint64_t sum);

  compress::Compressor compressor_;
  compress::Decompressor decompressor_;
  Buffer compressed_;
  Buffer again_;
};

}  // namespace holdfast::repo
