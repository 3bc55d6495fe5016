#include "repo/pack_format.h"

#include "base/codec.h"

namespace holdfast::repo {

namespace {

constexpr std::string_view kHeaderMagic = "HFP0";
constexpr std::string_view kTrailerMagic = "HFT0";
constexpr std::uint16_t kPackVersion = 0;
constexpr std::uint16_t kSuite = 1;
constexpr std::size_t kDirectoryEntryBytes = 48;

// Pads to `bytes` less a digest, and adds the digest.
Buffer close_block(Encoder& out, std::size_t bytes) {
  Buffer block = out.take();
  HF_ASSERT(block.size() <= bytes - sizeof(Hash));
  block.resize(bytes - sizeof(Hash));
  append(block, crypto::hash(block));
  return block;
}

bool block_whole(Bytes block, std::size_t bytes) {
  if (block.size() != bytes) return false;
  const Hash digest = crypto::hash(block.first(bytes - sizeof(Hash)));
  return std::equal(digest.begin(), digest.end(), block.last(sizeof(Hash)).begin());
}

}  // namespace

Buffer encode_header(const Header& header) {
  const Identity& id = header.identity;
  Encoder out;
  out.raw(as_bytes(kHeaderMagic));
  out.u16(kPackVersion);
  out.u16(kSuite);
  out.raw(id.repository);
  encode(out, id.pack);
  out.u8(id.frame_log2);
  out.u8(0);
  out.u16(0);
  out.raw(id.salt);
  out.raw(id.commit);
  out.u32(id.place.domain);
  out.u32(id.place.epoch);
  for (int mask = 0; mask < 3; ++mask) out.u64(0);
  while (out.size() < kIdentityBytes) out.u8(0);
  return relocated_header(out.bytes(), header.kept);
}

Buffer relocated_header(Bytes header, const KeptFrames& kept) {
  Buffer map((kept.kept.size() + 7) / 8);
  HF_ASSERT(map.size() <= kKeptMapBytesMax);
  for (std::size_t i = 0; i < kept.kept.size(); ++i) {
    if (kept.kept[i]) map[i / 8] = static_cast<std::uint8_t>(map[i / 8] | 1u << (i % 8));
  }
  Encoder out;
  out.raw(header.first(kIdentityBytes));
  out.u32(kept.generation);
  out.u32(kept.frames);
  out.u32(static_cast<std::uint32_t>(map.size()));
  out.raw(map);
  return close_block(out, kPackHeaderBytes);
}

std::uint8_t frame_log2(std::uint64_t stream_bytes) {
  if (stream_bytes >= kShortPackBytes) return kFrameLog2Max;
  unsigned log2 = kFrameLog2Min;
  while (log2 < kFrameLog2Max && stream_bytes > 16 * ((std::size_t{1} << log2) - kFrameOverheadBytes)) ++log2;
  return static_cast<std::uint8_t>(log2);
}

Result<Header> decode_header(Bytes bytes) {
  if (!block_whole(bytes, kPackHeaderBytes)) return Error(Errc::damaged, "a pack's header is damaged");
  Decoder in(bytes);
  Header header;
  Identity& id = header.identity;
  if (as_text(in.raw(4)) != kHeaderMagic) in.fail();
  const std::uint16_t version = in.u16();
  const std::uint16_t suite = in.u16();
  id.repository = in.array<16>();
  id.pack = model::decode_pack(in);
  id.frame_log2 = in.u8();
  in.raw(3);
  id.salt = in.array<32>();
  id.commit = in.array<32>();
  id.place.domain = in.u32();
  id.place.epoch = in.u32();
  const std::uint64_t incompatible = in.u64();
  if (in.ok() && (version != kPackVersion || suite != kSuite || incompatible != 0)) {
    return Error(Errc::unsupported, "a pack is of an unknown version").hint("use a newer holdfast");
  }
  in.raw(kIdentityBytes - (bytes.size() - in.left()));
  KeptFrames& kept = header.kept;
  kept.generation = in.u32();
  kept.frames = in.u32();
  const Bytes map = in.raw(in.u32());
  if (id.frame_log2 < kFrameLog2Min || id.frame_log2 > kFrameLog2Max) in.fail();
  if ((std::uint64_t{kept.frames} + 7) / 8 != map.size() || (kept.generation == 0 && kept.frames != 0))
    in.fail();
  TRY(in.finish("a pack's header", true));
  for (std::uint32_t i = 0; i < kept.frames; ++i) kept.kept.push_back((map[i / 8] >> (i % 8) & 1) != 0);
  return header;
}

Hash identity_hash(Bytes header) { return crypto::hash(header.first(kIdentityBytes)); }

Buffer encode_trailer(const Trailer& trailer, Bytes header) {
  Encoder out;
  out.raw(as_bytes(kTrailerMagic));
  out.u32(trailer.data_frames);
  out.u32(trailer.directory_frames);
  out.u16(trailer.stripes);
  out.u16(trailer.parity_per_stripe);
  out.u64(trailer.stream_bytes);
  out.u32(trailer.slots);
  out.raw(trailer.root);
  Bytes copy = header.first(kPackHeaderBytes - sizeof(Hash));
  while (!copy.empty() && copy.back() == 0) copy = copy.first(copy.size() - 1);
  out.blob(copy);
  return close_block(out, kPackTrailerBytes);
}

Result<DecodedTrailer> decode_trailer(Bytes bytes) {
  if (!block_whole(bytes, kPackTrailerBytes)) return Error(Errc::damaged, "a pack's trailer is damaged");
  Decoder in(bytes);
  DecodedTrailer out;
  Trailer& t = out.trailer;
  if (as_text(in.raw(4)) != kTrailerMagic) in.fail();
  t.data_frames = in.u32();
  t.directory_frames = in.u32();
  t.stripes = in.u16();
  t.parity_per_stripe = in.u16();
  t.stream_bytes = in.u64();
  t.slots = in.u32();
  t.root = in.array<32>();
  const Bytes copy = in.blob();
  const std::uint64_t frames = std::uint64_t{t.data_frames} + t.directory_frames;
  const bool sane = t.directory_frames > 0 && t.data_frames < 1u << 20 && t.directory_frames < 1u << 20 &&
                    t.parity_per_stripe == std::min<std::uint64_t>(4, frames) &&
                    t.stripes == (frames + 123) / 124 && copy.size() <= kPackHeaderBytes - sizeof(Hash) &&
                    t.slots <= kPackSlotsMax;
  if (!sane) in.fail();
  TRY(in.finish("a pack's trailer", true));
  out.header.assign(copy.begin(), copy.end());
  out.header.resize(kPackHeaderBytes - sizeof(Hash));
  append(out.header, crypto::hash(out.header));
  return out;
}

Hash pack_root(Bytes header, const Trailer& trailer, Bytes table) {
  Encoder head;
  head.raw(header.last(sizeof(Hash)));
  head.u32(trailer.data_frames);
  head.u32(trailer.directory_frames);
  head.u16(trailer.stripes);
  head.u16(trailer.parity_per_stripe);
  crypto::Hasher hasher;
  hasher.update(head.bytes());
  hasher.update(table);
  return hasher.finish();
}

std::uint64_t directory_bytes(std::size_t slots) { return 4 + std::uint64_t{kDirectoryEntryBytes} * slots; }

FrameSpan span_of(std::uint64_t offset, std::uint64_t stored_bytes, std::size_t payload_bytes) {
  return {offset / payload_bytes, (offset + stored_bytes + payload_bytes - 1) / payload_bytes};
}

Buffer encode_directory(const std::vector<DirectoryEntry>& entries) {
  Encoder out;
  out.u32(static_cast<std::uint32_t>(entries.size()));
  for (const DirectoryEntry& e : entries) {
    out.raw(e.id);
    out.u32(e.offset);
    out.u32(e.stored_bytes);
    out.u32(e.plain_bytes);
    out.u8(static_cast<std::uint8_t>(e.codec));
    out.u8(static_cast<std::uint8_t>(e.type));
    out.u16(0);
  }
  return out.take();
}

Result<std::vector<DirectoryEntry>> decode_directory(Bytes bytes, std::uint64_t stream_bytes) {
  Decoder in(bytes);
  const std::uint32_t n = in.u32();
  if (!in.ok() || n > in.left() / kDirectoryEntryBytes)
    return Error(Errc::damaged, "a pack's directory is damaged");
  std::vector<DirectoryEntry> entries(n);
  for (DirectoryEntry& e : entries) {
    e.id = in.array<32>();
    e.offset = in.u32();
    e.stored_bytes = in.u32();
    e.plain_bytes = in.u32();
    const std::uint8_t codec = in.u8();
    const std::uint8_t type = in.u8();
    in.u16();
    e.codec = static_cast<Codec>(codec);
    e.type = static_cast<model::ChunkType>(type);
    const bool sane = codec <= 1 && type >= 1 && type <= 4 && e.stored_bytes > 0 &&
                      std::uint64_t{e.offset} + e.stored_bytes <= stream_bytes &&
                      e.plain_bytes <= kChunkPlainBytesMax && e.stored_bytes <= e.plain_bytes &&
                      (codec == 1 || e.stored_bytes == e.plain_bytes);
    if (!sane) in.fail();
  }
  TRY(in.finish("a pack's directory", true));
  return entries;
}

FrameKeys data_keys(const crypto::Key& session, Bytes salt) {
  return {crypto::derive_key("holdfast 0 pack", {session.bytes(), salt}),
          crypto::derive_key("holdfast 0 pack nonce", {session.bytes(), salt})};
}

FrameKeys directory_keys(const crypto::Key& index, Bytes salt) {
  return {crypto::derive_key("holdfast 0 directory", {index.bytes(), salt}),
          crypto::derive_key("holdfast 0 directory nonce", {index.bytes(), salt})};
}

Hash pack_commit(const crypto::Key& session, Bytes salt) {
  const crypto::Key commit = crypto::derive_key("holdfast 0 pack commit", {session.bytes(), salt});
  Hash out;
  std::copy_n(commit.bytes().begin(), out.size(), out.begin());
  return out;
}

Result<void> expect_session(const Identity& identity, const SessionKey& session) {
  if (identity.place != session.place)
    return Error(Errc::damaged, "it says to lie under other keys than its transaction");
  if (!crypto::equal(pack_commit(session.secret, identity.salt), identity.commit))
    return Error(Errc::wrong_key, "the session secret of its transaction does not open it");
  return {};
}

FrameCipher::FrameCipher(FrameKeys keys, const Hash& identity_hash)
    : nonce_key_(std::move(keys.nonce)), identity_hash_(identity_hash), aead_(keys.key) {}

std::array<std::uint8_t, 36> FrameCipher::aad(std::uint32_t number) const {
  std::array<std::uint8_t, 36> out;
  std::copy(identity_hash_.begin(), identity_hash_.end(), out.begin());
  for (std::size_t i = 0; i < 4; ++i) out[32 + i] = static_cast<std::uint8_t>(number >> (8 * i));
  return out;
}

void FrameCipher::seal(std::uint32_t number, Bytes plain, MutableBytes out) {
  HF_ASSERT(out.size() == plain.size() + kFrameOverheadBytes);
  const auto data = aad(number);
  const Hash hash = crypto::keyed_hash(nonce_key_, {Bytes(data).last(4), plain});
  crypto::Nonce nonce;
  std::copy_n(hash.begin(), nonce.size(), nonce.begin());
  std::copy(nonce.begin(), nonce.end(), out.begin());
  aead_.seal(nonce, data, plain, out.subspan(nonce.size()));
}

bool FrameCipher::open(std::uint32_t number, Bytes frame, MutableBytes out) {
  HF_ASSERT(frame.size() == out.size() + kFrameOverheadBytes);
  crypto::Nonce nonce;
  std::copy_n(frame.begin(), nonce.size(), nonce.begin());
  return aead_.open(nonce, aad(number), frame.subspan(nonce.size()), out);
}

}  // namespace holdfast::repo
