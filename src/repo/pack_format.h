// The fixed parts of a pack: header, directory, trailer. docs/format/pack.md. Pure.
#pragma once

#include <vector>

#include "crypto/aead.h"
#include "crypto/hash.h"
#include "model/commit.h"
#include "repo/opening.h"

namespace holdfast::repo {

inline constexpr std::size_t kPackHeaderBytes = 4096;
inline constexpr std::size_t kPackTrailerBytes = 4096;
inline constexpr std::size_t kIdentityBytes = 512;
inline constexpr unsigned kFrameLog2Min = 12;
inline constexpr unsigned kFrameLog2Max = 16;
// What readers accept of one chunk.
inline constexpr std::uint32_t kChunkPlainBytesMax = 128 * kMiB;
inline constexpr std::size_t kFrameOverheadBytes = crypto::kNonceBytes + crypto::kTagBytes;
// Chunk streams shorter than this make a short pack, with smaller frames.
inline constexpr std::size_t kShortPackBytes = 1024 * 1024;
inline constexpr std::uint32_t kPackSlotsMax = model::kSlotsMax;
// So that the trailer's copy of the header fits.
inline constexpr std::size_t kKeptMapBytesMax = 3478;

struct Identity {
  RepositoryId repository{};
  model::PackId pack;
  std::uint8_t frame_log2 = kFrameLog2Max;
  std::array<std::uint8_t, 32> salt{};
  Hash commit{};
  KeyPlace place;

  std::size_t frame_bytes() const { return std::size_t{1} << frame_log2; }
  std::size_t payload_bytes() const { return frame_bytes() - kFrameOverheadBytes; }
};

// The frames of generation 0 that a relocated pack keeps; in generation 0 everything is there.
struct KeptFrames {
  std::uint32_t generation = 0;
  std::uint32_t frames = 0;  // data and directory frames of generation 0
  std::vector<bool> kept;
};

struct Header {
  Identity identity;
  KeptFrames kept;
};

Buffer encode_header(const Header& header);
// The same pack's header in another generation: the identity stays bit for bit, as every frame is bound to
// it.
Buffer relocated_header(Bytes header, const KeptFrames& kept);
Result<Header> decode_header(Bytes bytes);
// Of the frames of a pack with a chunk stream that long.
std::uint8_t frame_log2(std::uint64_t stream_bytes);
// H of the header's first 512 bytes: part of every frame's associated data.
Hash identity_hash(Bytes header);

struct Trailer {
  std::uint32_t data_frames = 0;
  std::uint32_t directory_frames = 0;
  std::uint16_t stripes = 0;
  std::uint16_t parity_per_stripe = 0;
  std::uint64_t stream_bytes = 0;
  std::uint32_t slots = 0;
  Hash root{};

  std::uint32_t frames() const { return data_frames + directory_frames; }
  std::uint32_t parity_frames() const { return std::uint32_t{stripes} * parity_per_stripe; }
  std::uint64_t object_bytes(std::size_t frame_bytes) const {
    const std::uint64_t all = std::uint64_t{frames()} + parity_frames();
    return kPackHeaderBytes + all * (frame_bytes + 2 * sizeof(Hash)) + kPackTrailerBytes;
  }
};

Buffer encode_trailer(const Trailer& trailer, Bytes header);
struct DecodedTrailer {
  Trailer trailer;
  Buffer header;  // the copy, full length
};
Result<DecodedTrailer> decode_trailer(Bytes bytes);
Hash pack_root(Bytes header, const Trailer& trailer, Bytes table);

enum class Codec : std::uint8_t { raw = 0, zstd = 1 };

struct DirectoryEntry {
  model::ChunkId id{};
  std::uint32_t offset = 0;
  std::uint32_t stored_bytes = 0;
  std::uint32_t plain_bytes = 0;
  Codec codec = Codec::raw;
  model::ChunkType type = model::ChunkType::data;
};
Buffer encode_directory(const std::vector<DirectoryEntry>& entries);
std::uint64_t directory_bytes(std::size_t slots);

// The frames, by number, that a chunk at `offset` of the chunk stream lies in.
struct FrameSpan {
  std::uint64_t first, end;
};
FrameSpan span_of(std::uint64_t offset, std::uint64_t stored_bytes, std::size_t payload_bytes);
inline FrameSpan span_of(const DirectoryEntry& entry, std::size_t payload_bytes) {
  return span_of(entry.offset, entry.stored_bytes, payload_bytes);
}
// Checks that every entry lies within the chunk stream. Trailing zero bytes are the last frame's padding.
Result<std::vector<DirectoryEntry>> decode_directory(Bytes bytes, std::uint64_t stream_bytes);

// A key for frames and the key for their nonces.
struct FrameKeys {
  crypto::Key key;
  crypto::Key nonce;
};
FrameKeys data_keys(const crypto::Key& session, Bytes salt);
FrameKeys directory_keys(const crypto::Key& index, Bytes salt);
Hash pack_commit(const crypto::Key& session, Bytes salt);
// Errc::damaged where the pack says that it lies under other keys than its transaction, wrong_key where its
// commitment is to another session secret.
Result<void> expect_session(const Identity& identity, const SessionKey& session);

// Seals and opens frames of one pack under one pair of keys. One thread at a time.
class FrameCipher {
 public:
  FrameCipher(FrameKeys keys, const Hash& identity_hash);
  // `plain` is exactly the payload size; `out` exactly the frame size; they must not overlap.
  void seal(std::uint32_t number, Bytes plain, MutableBytes out);
  [[nodiscard]] bool open(std::uint32_t number, Bytes frame, MutableBytes out);

 private:
  std::array<std::uint8_t, 36> aad(std::uint32_t number) const;
  crypto::Key nonce_key_;
  Hash identity_hash_;
  crypto::Aead aead_;
};

}  // namespace holdfast::repo
