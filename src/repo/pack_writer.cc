#include "repo/pack_writer.h"

#include "parity/checksum.h"
#include "repo/names.h"

namespace holdfast::repo {

namespace {

// Handed to the spool in writes of this size.
constexpr std::size_t kWriteBytes = kMiB;
// ceil(n / 124) for every n that a full pack can have: 1000 frames, the last chunk, the directory.
constexpr std::uint32_t kFullStripes = 9;

}  // namespace

Error hardware_fault(std::string what) {
  return Error(Errc::failed, std::move(what) + ": this machine's memory or processor makes mistakes")
      .hint("nothing was committed by this; test the memory, and back up with another machine until then");
}

PackWriter::PackWriter(storage::Storage& storage, const PackContext& context, model::PackId id,
                       std::optional<Anew> anew)
    : storage_(storage), session_(context.session.secret), index_(context.index), anew_(anew) {
  identity_.repository = context.repository;
  identity_.pack = id;
  identity_.place = context.session.place;
  identity_.salt = context.random.array<32>();
  identity_.commit = pack_commit(session_, identity_.salt);
}

bool PackWriter::full() const { return frames_ >= kFullFrames || directory_.size() >= kPackSlotsMax / 2; }

Result<std::uint32_t> PackWriter::add(const NewChunk& chunk) {
  HF_ASSERT(!chunk.stored.empty());
  if (chunk.plain_bytes > kChunkPlainBytesMax) {
    return Error(Errc::unsupported, "a chunk would be larger than 128 MiB")
        .hint("is there a file of very many terabytes that was changed in very many places?");
  }
  directory_.push_back({chunk.id, static_cast<std::uint32_t>(stream_bytes_),
                        static_cast<std::uint32_t>(chunk.stored.size()), chunk.plain_bytes, chunk.codec,
                        chunk.type});
  stream_bytes_ += chunk.stored.size();
  expected_.push_back({static_cast<std::uint32_t>(chunk.stored.size()), chunk.sum});
  append(pending_, chunk.stored);
  if (spool_ == nullptr && stream_bytes_ >= kShortPackBytes) TRY(start(frame_log2(stream_bytes_)));
  if (spool_ != nullptr) TRY(emit_full_frames());
  return static_cast<std::uint32_t>(directory_.size() - 1);
}

void PackWriter::add_lost(const model::ManifestChunk& chunk) {
  HF_ASSERT(anew_ && anew_->any_lost);
  // Its place becomes a frame behind all others that the map does not keep; one byte will do.
  directory_.push_back({chunk.id, 0, 0, std::max(chunk.plain_bytes, 1u), Codec::zstd, chunk.type});
}

// All frames but the one that stands for what is lost.
Result<KeptFrames> PackWriter::kept_frames() const {
  KeptFrames kept;
  if (!anew_) return kept;
  const std::size_t payload = identity_.payload_bytes();
  const auto frames_for = [&](std::uint64_t bytes) {
    return static_cast<std::uint32_t>((bytes + payload - 1) / payload);
  };
  const std::uint32_t data = frames_for(anew_->stream_bytes);
  kept.generation = anew_->generation;
  kept.frames = data + (anew_->any_lost ? 1 : 0) + frames_for(directory_bytes(anew_->slots));
  if ((kept.frames + 7) / 8 > kKeptMapBytesMax)
    return Error(Errc::unsupported, "the pack has too many frames to be written anew");
  kept.kept.assign(kept.frames, true);
  if (anew_->any_lost) kept.kept[data] = false;
  return kept;
}

Result<void> PackWriter::start(std::uint8_t frame_log2) {
  spool_ = TRY(storage_.spool());
  identity_.frame_log2 = frame_log2;
  const KeptFrames kept = TRY(kept_frames());
  header_ = encode_header({identity_, kept});
  frame_.resize(identity_.frame_bytes());
  parity_.emplace(identity_.frame_bytes(), parity::Layout{kFullStripes, 4});
  cipher_.emplace(data_keys(session_, identity_.salt), identity_hash(header_));
  return write(header_);
}

Result<void> PackWriter::emit_full_frames() {
  const std::size_t payload = identity_.payload_bytes();
  while (pending_.size() - pending_at_ >= payload) {
    TRY(emit_chunks(MutableBytes(pending_).subspan(pending_at_, payload)));
    pending_at_ += payload;
  }
  if (pending_at_ >= kMiB) {
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(pending_at_));
    pending_at_ = 0;
  }
  return {};
}

Result<void> PackWriter::emit(FrameCipher& cipher, MutableBytes plain) {
  if (disturb_stream) disturb_stream(plain);
  TRY(seal_surely(cipher, plain));
  append(table_, crypto::hash(frame_));
  // Beyond what so many stripes hold, which only a huge last chunk brings about, parity is computed at the
  // end.
  if (frames_ < kFullStripes * parity::kStripeFramesMax) parity_->add(frame_);
  ++frames_;
  return write(frame_);
}

// What is wrong in the frame is wrong before its hash and its parity are computed, or they tell.
Result<void> PackWriter::seal_surely(FrameCipher& cipher, Bytes plain) {
  const std::uint32_t frame = frames_ + left_out_;
  opened_.resize(plain.size());
  for (int tries = 0; tries < 2; ++tries) {
    cipher.seal(frame, plain, frame_);
    if (disturb_frame) disturb_frame(frame_);
    if (cipher.open(frame, frame_, opened_) && std::equal(plain.begin(), plain.end(), opened_.begin()))
      return {};
  }
  return hardware_fault("a frame, sealed twice, does not open to what it was");
}

// A frame of the chunk stream; chunks that end in it are compared with what they were.
Result<void> PackWriter::emit_chunks(MutableBytes plain) {
  TRY(emit(*cipher_, plain));
  for (Bytes rest = opened_; !rest.empty() && !expected_.empty();) {
    Expected& next = expected_.front();
    const Bytes part = rest.first(std::min<std::size_t>(next.bytes, rest.size()));
    sum_ = parity::checksum(part, sum_);
    next.bytes -= static_cast<std::uint32_t>(part.size());
    rest = rest.subspan(part.size());
    if (next.bytes > 0) break;
    if (std::exchange(sum_, 0) != next.sum) return hardware_fault("a chunk changed while it was stored");
    expected_.pop_front();
  }
  return {};
}

// Frames for all of `plain`, the last one padded with zeros.
Result<void> PackWriter::emit_rest(FrameCipher& cipher, Bytes plain, bool chunks) {
  const std::size_t payload = identity_.payload_bytes();
  Buffer padded(payload);
  for (std::size_t at = 0; at < plain.size(); at += payload) {
    const Bytes piece = plain.subspan(at, std::min(payload, plain.size() - at));
    std::fill(std::copy(piece.begin(), piece.end(), padded.begin()), padded.end(), std::uint8_t{0});
    TRY(chunks ? emit_chunks(padded) : emit(cipher, padded));
  }
  return {};
}

Result<void> PackWriter::write(Bytes bytes) {
  append(out_, bytes);
  return out_.size() >= kWriteBytes ? flush() : Result<void>();
}

Result<void> PackWriter::flush() {
  TRY(spool_->append(out_));
  out_.clear();
  return {};
}

Result<void> PackWriter::recompute_parity(const parity::Layout& layout) {
  TRY(flush());
  parity_.emplace(identity_.frame_bytes(), layout);
  for (std::uint32_t f = 0; f < frames_; ++f) {
    TRY(spool_->read(kPackHeaderBytes + std::uint64_t{f} * frame_.size(), frame_));
    parity_->add(frame_);
  }
  return {};
}

Result<void> PackWriter::emit_parity() {
  const parity::Layout layout = parity::layout(frames_);
  if (layout.stripes != kFullStripes || layout.per_stripe != 4) TRY(recompute_parity(layout));
  for (std::uint32_t s = 0; s < layout.stripes; ++s) {
    for (std::uint32_t p = 0; p < layout.per_stripe; ++p) {
      const Bytes frame = parity_->parity(s, p);
      append(table_, crypto::hash(frame));
      TRY(write(frame));
    }
  }
  return {};
}

// Gives what is lost its place.
Result<void> PackWriter::end_data() {
  TRY(emit_rest(*cipher_, Bytes(pending_).subspan(pending_at_), true));
  if (!anew_) return {};
  HF_ASSERT(stream_bytes_ == anew_->stream_bytes && directory_.size() == anew_->slots);
  if (!anew_->any_lost) return {};
  const std::uint64_t behind = std::uint64_t{frames_} * identity_.payload_bytes();
  for (DirectoryEntry& e : directory_) {
    if (e.stored_bytes > 0) continue;
    e.offset = static_cast<std::uint32_t>(behind);
    e.stored_bytes = 1;
  }
  stream_bytes_ = behind + 1;
  left_out_ = 1;
  return {};
}

Result<model::ManifestPack> PackWriter::finish(std::stop_token stop) {
  HF_ASSERT(!empty());
  if (spool_ == nullptr) TRY(start(frame_log2(stream_bytes_)));
  TRY(end_data());
  Trailer trailer;
  trailer.data_frames = frames_;
  FrameCipher directory_cipher(directory_keys(index_, identity_.salt), identity_hash(header_));
  TRY(emit_rest(directory_cipher, encode_directory(directory_), false));
  trailer.directory_frames = frames_ - trailer.data_frames;
  const parity::Layout layout = parity::layout(frames_);
  trailer.stripes = static_cast<std::uint16_t>(layout.stripes);
  trailer.parity_per_stripe = static_cast<std::uint16_t>(layout.per_stripe);
  trailer.stream_bytes = stream_bytes_;
  trailer.slots = static_cast<std::uint32_t>(directory_.size());
  HF_ASSERT(expected_.empty());
  TRY(emit_parity());
  trailer.root = pack_root(header_, trailer, table_);
  TRY(write(table_));
  TRY(write(table_));
  TRY(write(encode_trailer(trailer, header_)));
  TRY(flush());
  TRY(storage_.put(pack_name(identity_.pack, anew_ ? anew_->generation : 0), *spool_, stop));

  model::ManifestPack pack;
  pack.pack = identity_.pack.pack;
  pack.object_bytes = spool_->size_bytes();
  pack.root = trailer.root;
  for (const DirectoryEntry& e : directory_)
    pack.chunks.push_back({e.id, e.type, e.plain_bytes, e.stored_bytes});
  return pack;
}

}  // namespace holdfast::repo
