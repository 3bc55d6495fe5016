#include "repo/pack_reader.h"

#include <fmt/core.h>

#include "repo/names.h"

namespace holdfast::repo {

namespace {

constexpr std::uint32_t kDropped = ~0u;

}  // namespace

model::ChunkId chunk_id(const crypto::Key& id_key, model::ChunkType type, Bytes plain) {
  const auto kind = static_cast<std::uint8_t>(type);
  return crypto::keyed_hash(id_key, {Bytes(&kind, 1), plain});
}

Error PackReader::lost(std::string what) const {
  return Error(Errc::damaged, fmt::format("pack {}: {}", name_, what))
      .hint("run `holdfast check --read-data` to see what else is damaged");
}

Result<std::unique_ptr<PackReader>> PackReader::open(storage::Storage& storage, const Keys& keys,
                                                     model::PackId id, std::uint32_t generation,
                                                     std::stop_token stop) {
  std::unique_ptr<PackReader> reader(new PackReader(storage, pack_name(id, generation)));  // NOLINT: private
  TRY_AS(reader->load_ends(keys, id, stop), "pack " + reader->name_);
  TRY(reader->load_directory(keys, stop));
  if (keys.session != nullptr) {
    reader->cipher_.emplace(data_keys(*keys.session, reader->header_.identity.salt), reader->identity_hash_);
  }
  return reader;
}

Result<void> PackReader::load_ends(const Keys& keys, model::PackId id, std::stop_token stop) {
  const storage::ObjectInfo info = TRY(storage_.stat(name_, stop));
  if (info.size_bytes < kPackHeaderBytes + kPackTrailerBytes)
    return Error(Errc::damaged, "the object is too short");
  const Buffer tail =
      TRY(storage_.get(name_, {info.size_bytes - kPackTrailerBytes, kPackTrailerBytes}, stop));
  DecodedTrailer decoded = TRY(decode_trailer(tail));
  header_ = TRY(decode_header(decoded.header));
  trailer_ = decoded.trailer;
  const Identity& identity = header_.identity;
  if (identity.repository != keys.repository || identity.pack != id) {
    return Error(Errc::damaged, "the object is another pack under this name");
  }
  if (trailer_.object_bytes(identity.frame_bytes()) != info.size_bytes) {
    return Error(Errc::damaged, "the object's size is not what its trailer says");
  }
  if (keys.session != nullptr && !crypto::equal(pack_commit(*keys.session, identity.salt), identity.commit)) {
    return Error(Errc::wrong_key, "the session secret does not open it");
  }
  identity_hash_ = identity_hash(decoded.header);
  data_frames_ = trailer_.data_frames;
  if (header_.kept.generation == 0) return {};
  std::uint32_t next = 0;
  for (const bool kept : header_.kept.kept) positions_.push_back(kept ? next++ : kDropped);
  if (next != trailer_.frames()) return Error(Errc::damaged, "its map of kept frames does not fit");
  data_frames_ = header_.kept.frames - trailer_.directory_frames;
  return {};
}

std::uint32_t PackReader::position(std::uint32_t number) const {
  if (positions_.empty()) return number;
  return number < positions_.size() ? positions_[number] : kDropped;
}

Result<Buffer> PackReader::open_frames(FrameCipher& cipher, std::uint32_t first, std::uint32_t count,
                                       std::stop_token stop) {
  const std::size_t frame_bytes = header_.identity.frame_bytes();
  const std::size_t payload = header_.identity.payload_bytes();
  const std::uint32_t at = position(first);
  // Frames of one chunk are kept together, so they are neighbours in a relocated pack too.
  for (std::uint32_t i = 0; i < count; ++i) {
    if (position(first + i) == kDropped) return lost(fmt::format("frame {} was removed", first + i));
    if (position(first + i) != at + i) return lost("its map of kept frames does not fit");
  }
  const Buffer frames = TRY(storage_.get(
      name_, {kPackHeaderBytes + std::uint64_t{at} * frame_bytes, std::uint64_t{count} * frame_bytes}, stop));
  Buffer plain(count * payload);
  for (std::uint32_t i = 0; i < count; ++i) {
    if (!cipher.open(first + i, Bytes(frames).subspan(i * frame_bytes, frame_bytes),
                     MutableBytes(plain).subspan(i * payload, payload))) {
      return lost(fmt::format("frame {} is damaged", first + i));
    }
  }
  return plain;
}

Result<void> PackReader::load_directory(const Keys& keys, std::stop_token stop) {
  FrameCipher cipher(directory_keys(keys.index, header_.identity.salt), identity_hash_);
  const Buffer plain = TRY(open_frames(cipher, data_frames_, trailer_.directory_frames, stop));
  directory_ = TRY_AS(decode_directory(plain, trailer_.stream_bytes), "pack " + name_);
  if (directory_.size() != trailer_.slots) return lost("its directory does not fit");
  return {};
}

Result<Buffer> PackReader::read_stored(std::uint32_t slot, std::stop_token stop) {
  HF_ASSERT(cipher_.has_value());
  if (slot >= directory_.size()) return lost(fmt::format("it has no slot {}", slot));
  const DirectoryEntry& entry = directory_[slot];
  const std::size_t payload = header_.identity.payload_bytes();
  const auto first = static_cast<std::uint32_t>(entry.offset / payload);
  const auto last =
      static_cast<std::uint32_t>((std::uint64_t{entry.offset} + entry.stored_bytes - 1) / payload);
  Buffer stream = TRY(open_frames(*cipher_, first, last - first + 1, stop));
  const std::size_t skip = entry.offset - first * payload;
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
    TRY_AS(decompressor_.decompress(stored, plain), fmt::format("pack {}: slot {}", name_, slot));
  }
  if (!crypto::equal(chunk_id(id_key, entry.type, plain), entry.id)) {
    return lost(fmt::format("slot {} does not have the content that it should", slot));
  }
  return plain;
}

}  // namespace holdfast::repo
