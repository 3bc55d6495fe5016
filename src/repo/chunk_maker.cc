#include "repo/chunk_maker.h"

#include "repo/pack_reader.h"

namespace holdfast::repo {

bool ChunkMaker::reads_back(model::ChunkType type, const model::ChunkId& id, std::size_t plain_bytes) {
  if (again_.size() < plain_bytes) again_.resize(plain_bytes);
  const auto again = MutableBytes(again_).first(plain_bytes);
  return decompressor_.decompress(compressed_, again).ok() && chunk_id(id_key_, type, again) == id;
}

Result<NewChunk> ChunkMaker::make(model::ChunkType type, const model::ChunkId& id, Bytes plain,
                                  std::optional<int> level) {
  const auto plain_bytes = static_cast<std::uint32_t>(plain.size());
  for (int tries = 0; level && tries < 2; ++tries) {
    if (!compressor_.compress(plain, *level, compressed_)) break;
    if (disturb) disturb(compressed_);
    if (reads_back(type, id, plain.size())) return NewChunk{id, type, Codec::zstd, plain_bytes, compressed_};
    if (tries == 1) return hardware_fault("a chunk, compressed twice, does not decompress to what it was");
  }
  return NewChunk{id, type, Codec::raw, plain_bytes, plain};
}

}  // namespace holdfast::repo
