#include "repo/pack_reader.h"

#include <fmt/core.h>

namespace holdfast::repo {

namespace {

constexpr std::uint32_t kDropped = ~0u;

}  // namespace

model::ChunkId chunk_id(const crypto::Key& id_key, model::ChunkType type, Bytes plain) {
  const auto kind = static_cast<std::uint8_t>(type);
  return crypto::keyed_hash(id_key, {Bytes(&kind, 1), plain});
}

Error PackReader::lost(std::string what) const {
  return Error(Errc::damaged, fmt::format("pack {}: {}", frames_->name(), what))
      .hint("run `holdfast check --read-data` to see what else is damaged");
}

PackReader::PackReader(std::unique_ptr<PackFrames> frames)
    : frames_(std::move(frames)), data_frames_(trailer().data_frames) {
  if (header().kept.generation == 0) return;
  std::uint32_t next = 0;
  for (const bool kept : header().kept.kept) positions_.push_back(kept ? next++ : kDropped);
  data_frames_ = header().kept.frames - trailer().directory_frames;
}

Result<std::unique_ptr<PackReader>> PackReader::open(storage::Storage& storage, const Keys& keys,
                                                     model::PackId id, std::uint32_t generation,
                                                     std::stop_token stop) {
  auto frames =
      TRY(PackFrames::open(storage, {keys.repository, &keys.index, keys.root}, {id, generation}, stop));
  std::unique_ptr<PackReader> reader(new PackReader(std::move(frames)));  // NOLINT: private
  const Identity& identity = reader->header().identity;
  if (keys.session != nullptr) {
    TRY_AS(expect_session(identity, *keys.session), "pack " + reader->frames_->name());
    reader->cipher_.emplace(data_keys(keys.session->secret, identity.salt), reader->frames_->identity_hash());
  }
  TRY(reader->load_directory(keys, stop));
  return reader;
}

std::uint32_t PackReader::position(std::uint32_t number) const {
  if (positions_.empty()) return number;
  return number < positions_.size() ? positions_[number] : kDropped;
}

bool PackReader::has(std::uint32_t slot) const {
  if (slot >= directory_.size()) return false;
  const FrameSpan span = span_of(directory_[slot], header().identity.payload_bytes());
  for (std::uint64_t f = span.first; f < span.end; ++f) {
    if (f >= data_frames_ || position(static_cast<std::uint32_t>(f)) == kDropped) return false;
  }
  return true;
}

Result<Buffer> PackReader::open_frames(FrameCipher& cipher, std::uint32_t first, std::uint32_t count,
                                       std::stop_token stop) {
  const std::size_t frame_bytes = header().identity.frame_bytes();
  const std::size_t payload = header().identity.payload_bytes();
  const std::uint32_t at = position(first);
  // Frames of one chunk are kept together, so they are neighbours in a relocated pack too.
  for (std::uint32_t i = 0; i < count; ++i) {
    if (position(first + i) == kDropped) return lost(fmt::format("frame {} was removed", first + i));
    if (position(first + i) != at + i) return lost("its map of kept frames does not fit");
  }
  const Buffer frames = TRY(frames_->stored(at, count, stop));
  Buffer plain(count * payload);
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto out = MutableBytes(plain).subspan(i * payload, payload);
    if (!cipher.open(first + i, Bytes(frames).subspan(i * frame_bytes, frame_bytes), out))
      TRY(open_rebuilt(cipher, first + i, out, stop));
  }
  return plain;
}

Result<void> PackReader::open_rebuilt(FrameCipher& cipher, std::uint32_t number, MutableBytes plain,
                                      std::stop_token stop) {
  const auto again = frames_->rebuild(position(number), stop);
  if (again.ok() && cipher.open(number, again.value(), plain)) return {};
  if (!again.ok() && again.error().kind() != Errc::damaged) return again.error().copy();
  return lost(fmt::format("frame {} is damaged, and parity can't rebuild it", number));
}

Result<void> PackReader::load_directory(const Keys& keys, std::stop_token stop) {
  FrameCipher cipher(directory_keys(keys.index, header().identity.salt), frames_->identity_hash());
  const Buffer plain = TRY(open_frames(cipher, data_frames_, trailer().directory_frames, stop));
  directory_ = TRY_AS(decode_directory(plain, trailer().stream_bytes), "pack " + frames_->name());
  if (directory_.size() != trailer().slots) return lost("its directory does not fit");
  return {};
}

Result<Buffer> PackReader::read_stored(std::uint32_t slot, std::stop_token stop) {
  HF_ASSERT(cipher_.has_value());
  if (slot >= directory_.size()) return lost(fmt::format("it has no slot {}", slot));
  const DirectoryEntry& entry = directory_[slot];
  const std::size_t payload = header().identity.payload_bytes();
  const FrameSpan span = span_of(entry, payload);
  Buffer stream = TRY(open_frames(*cipher_, static_cast<std::uint32_t>(span.first),
                                  static_cast<std::uint32_t>(span.end - span.first), stop));
  const std::size_t skip = entry.offset - span.first * payload;
  stream.erase(stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(skip));
  stream.resize(entry.stored_bytes);
  return stream;
}

Result<Buffer> PackReader::read(std::uint32_t slot, const crypto::Key& id_key, std::stop_token stop) {
  Buffer stored = TRY(read_stored(slot, stop));
  const DirectoryEntry& entry = directory_[slot];
  Buffer plain;
  if (entry.codec == Codec::raw) {
    plain = std::move(stored);
  } else {
    plain.resize(entry.plain_bytes);
    TRY_AS(decompressor_.decompress(stored, plain), fmt::format("pack {}: slot {}", frames_->name(), slot));
  }
  if (!crypto::equal(chunk_id(id_key, entry.type, plain), entry.id)) {
    return lost(fmt::format("slot {} does not have the content that it should", slot));
  }
  return plain;
}

}  // namespace holdfast::repo
