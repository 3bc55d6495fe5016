#include "repo/chunk_maker.h"

#include "parity/checksum.h"
#include "repo/pack_reader.h"

namespace holdfast::repo {

ChunkName name_chunk(const crypto::Key& id_key, model::ChunkType type, Bytes plain) {
  const std::uint64_t sum = parity::checksum(plain);
  return {chunk_id(id_key, type, plain), sum};
}

bool ChunkMaker::reads_back(std::size_t plain_bytes, std::uint64_t sum) {
  if (again_.size() < plain_bytes) again_.resize(plain_bytes);
  const auto again = MutableBytes(again_).first(plain_bytes);
  return decompressor_.decompress(compressed_, again).ok() && parity::checksum(again) == sum;
}

Result<NewChunk> ChunkMaker::make(model::ChunkType type, const ChunkName& name, Bytes plain,
                                  std::optional<int> level) {
  const auto plain_bytes = static_cast<std::uint32_t>(plain.size());
  for (int tries = 0; level && tries < 2; ++tries) {
    if (!compressor_.compress(plain, *level, compressed_)) break;
    const std::uint64_t sum = parity::checksum(compressed_);
    if (disturb) disturb(compressed_);
    if (reads_back(plain.size(), name.sum)) {
      return NewChunk{name.id, type, Codec::zstd, plain_bytes, compressed_, sum};
    }
    if (tries == 1) return hardware_fault("a chunk, compressed twice, does not decompress to what it was");
  }
  return NewChunk{name.id, type, Codec::raw, plain_bytes, plain, name.sum};
}

}  // namespace holdfast::repo
