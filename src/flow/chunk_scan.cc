#include "flow/chunk_scan.h"

#include <algorithm>
#include <numeric>

namespace holdfast::flow {

ChunkScan::ChunkScan(const std::vector<repo::DirectoryEntry>& directory, std::size_t payload_bytes,
                     repo::FrameCipher cipher, const crypto::Key& id_key, ChunkBuffers& buffers)
    : directory_(directory),
      payload_(payload_bytes),
      cipher_(std::move(cipher)),
      id_key_(id_key),
      buffers_(buffers),
      order_(directory.size()) {
  std::iota(order_.begin(), order_.end(), 0u);
  std::stable_sort(order_.begin(), order_.end(), [&](std::uint32_t a, std::uint32_t b) {
    return directory_[a].offset < directory_[b].offset;
  });
  buffers_.stream.clear();
}

// Where the payload of that frame goes. After a gap the stream begins anew.
MutableBytes ChunkScan::room(std::uint32_t number) {
  Buffer& stream = buffers_.stream;
  const std::uint64_t at = std::uint64_t{number} * payload_;
  if (at != from_ + stream.size()) {
    stream.clear();
    from_ = at;
  }
  stream.resize(stream.size() + payload_);
  return MutableBytes(stream).last(payload_);
}

bool ChunkScan::add(std::uint32_t number, Bytes frame) {
  const bool opened = cipher_.open(number, frame, room(number));
  if (!opened) lost_.push_back(number);
  settle();
  return opened;
}

void ChunkScan::add_lost(std::uint32_t number) {
  room(number);
  lost_.push_back(number);
  settle();
}

bool ChunkScan::any_lost(const repo::DirectoryEntry& entry) const {
  const repo::FrameSpan span = repo::span_of(entry, payload_);
  const auto at = std::lower_bound(lost_.begin(), lost_.end(), span.first);
  return at != lost_.end() && *at < span.end;
}

bool ChunkScan::chunk_whole(const repo::DirectoryEntry& entry) {
  if (any_lost(entry)) return false;
  const Bytes stored = Bytes(buffers_.stream).subspan(entry.offset - from_, entry.stored_bytes);
  if (entry.codec == repo::Codec::raw) return repo::chunk_id(id_key_, entry.type, stored) == entry.id;
  if (buffers_.plain.size() < entry.plain_bytes) buffers_.plain.resize(entry.plain_bytes);
  const MutableBytes plain = MutableBytes(buffers_.plain).first(entry.plain_bytes);
  return buffers_.decompressor.decompress(stored, plain).ok() &&
         repo::chunk_id(id_key_, entry.type, plain) == entry.id;
}

// Checks the chunks that have come to their end, and lets go of what no later one needs.
void ChunkScan::settle() {
  Buffer& stream = buffers_.stream;
  const std::uint64_t end = from_ + stream.size();
  for (; next_ < order_.size(); ++next_) {
    const repo::DirectoryEntry& entry = directory_[order_[next_]];
    if (entry.offset < from_) {
      absent_.insert(order_[next_]);
      continue;
    }
    if (std::uint64_t{entry.offset} + entry.stored_bytes > end) break;
    ++checked_;
    if (!chunk_whole(entry)) damaged_.insert(order_[next_]);
  }
  const std::uint64_t keep =
      next_ < order_.size() ? std::min<std::uint64_t>(directory_[order_[next_]].offset, end) : end;
  const auto done = static_cast<std::size_t>(std::max(keep, from_) - from_);
  if (done * 2 < stream.size()) return;  // moving what is left costs less than what was done
  stream.erase(stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(done));
  from_ += done;
}

model::Slots ChunkScan::absent() {
  model::Slots out = absent_;
  for (std::size_t i = next_; i < order_.size(); ++i) out.insert(order_[i]);
  return out;
}

}  // namespace holdfast::flow
