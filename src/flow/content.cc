#include "flow/content.h"

#include "crypto/hash.h"

namespace holdfast::flow {

Result<void> read_content(repo::ChunkReader& chunks, const model::Entry& entry, const ContentSink& sink,
                          std::stop_token stop) {
  for (const model::Extent& extent : entry.content) {
    if (stop.stop_requested()) return Error(Errc::stopped, "stopped while reading /" + entry.path);
    if (extent.hole) {
      TRY(sink.hole(extent.length));
      continue;
    }
    const Bytes plain = TRY_AS(chunks.read(extent.chunk, stop), "/" + entry.path);
    if (extent.offset > plain.size() || extent.length > plain.size() - extent.offset) {
      return Error(Errc::damaged, "/" + entry.path + ": an extent lies beyond its chunk");
    }
    TRY(sink.bytes(plain.subspan(extent.offset, extent.length)));
  }
  return {};
}

namespace {

// Extents that name their bytes: ids of whole pieces, or holes.
bool named_alike(const model::Entry& a, const model::Entry& b) {
  if (a.content.size() != b.content.size()) return false;
  for (std::size_t i = 0; i < a.content.size(); ++i) {
    const model::Extent& x = a.content[i];
    const model::Extent& y = b.content[i];
    const bool same_place =
        x.hole ? y.hole : !y.hole && (x.chunk == y.chunk || (x.id == y.id && x.id != model::ShortId{}));
    if (!same_place || x.offset != y.offset || x.length != y.length) return false;
  }
  return true;
}

Result<Hash> hash_of(repo::ChunkReader& chunks, const model::Entry& entry, std::stop_token stop) {
  crypto::Hasher hasher;
  const Buffer zeros(64 * kKiB);
  const ContentSink sink{[&](Bytes bytes) -> Result<void> {
                           hasher.update(bytes);
                           return {};
                         },
                         [&](std::uint64_t length) -> Result<void> {
                           for (; length > 0; length -= std::min<std::uint64_t>(length, zeros.size())) {
                             hasher.update(Bytes(zeros).first(
                                 static_cast<std::size_t>(std::min<std::uint64_t>(length, zeros.size()))));
                           }
                           return {};
                         }};
  TRY(read_content(chunks, entry, sink, stop));
  return hasher.finish();
}

}  // namespace

Result<bool> same_content(repo::ChunkReader& chunks, const model::Entry& a, const model::Entry& b,
                          std::stop_token stop) {
  if (a.size_bytes != b.size_bytes) return false;
  if (named_alike(a, b)) return true;
  const Hash first = TRY(hash_of(chunks, a, stop));
  const Hash second = TRY(hash_of(chunks, b, stop));
  return first == second;
}

}  // namespace holdfast::flow
