#include "repo/relocate.h"

#include <fmt/core.h>

#include "repo/pack_reader.h"

namespace holdfast::repo {

namespace {

constexpr std::size_t kCopyBytes = kMiB;

std::uint64_t object_bytes(std::uint32_t data_frames, std::uint32_t directory_frames,
                           std::size_t frame_bytes) {
  const parity::Layout layout = parity::layout(data_frames + directory_frames);
  Trailer trailer;
  trailer.data_frames = data_frames;
  trailer.directory_frames = directory_frames;
  trailer.stripes = static_cast<std::uint16_t>(layout.stripes);
  trailer.parity_per_stripe = static_cast<std::uint16_t>(layout.per_stripe);
  return trailer.object_bytes(frame_bytes);
}

// The object in the making.
class FrameSink {
 public:
  FrameSink(storage::Spool& spool, std::size_t frame_bytes, std::uint32_t frames)
      : spool_(spool), frame_bytes_(frame_bytes), parity_(frame_bytes, parity::layout(frames)) {}

  Result<void> add(Bytes frames) {
    for (std::size_t at = 0; at < frames.size(); at += frame_bytes_) {
      const Bytes frame = frames.subspan(at, frame_bytes_);
      append(table_, crypto::hash(frame));
      parity_.add(frame);
    }
    return spool_.append(frames);
  }
  // Parity, tables, trailer: all but the trailer's layout and root are given.
  Result<void> finish(Bytes header, Trailer trailer) {
    const parity::Layout layout = parity_.layout();
    for (std::uint32_t s = 0; s < layout.stripes; ++s) {
      for (std::uint32_t p = 0; p < layout.per_stripe; ++p) {
        append(table_, crypto::hash(parity_.parity(s, p)));
        TRY(spool_.append(parity_.parity(s, p)));
      }
    }
    trailer.stripes = static_cast<std::uint16_t>(layout.stripes);
    trailer.parity_per_stripe = static_cast<std::uint16_t>(layout.per_stripe);
    trailer.root = pack_root(header, trailer, table_);
    TRY(spool_.append(table_));
    TRY(spool_.append(table_));
    return spool_.append(encode_trailer(trailer, header));
  }

 private:
  storage::Spool& spool_;
  const std::size_t frame_bytes_;
  parity::Accumulator parity_;
  Buffer table_;
};

// Takes out what is not there and that only lost slots want.
Result<void> spare_lost(std::vector<bool>& frames, const Relocation& relocation, const PackReader& pack,
                        std::uint32_t data_frames) {
  const KeptFrames& present = pack.header().kept;
  if (relocation.lost.empty() || present.generation == 0) return {};
  model::Slots whole = relocation.kept;
  whole.remove(relocation.lost);
  const std::vector<bool> must = TRY(frames_of(whole, pack.directory(), pack.header().identity, data_frames,
                                               pack.trailer().directory_frames));
  for (std::size_t f = 0; f < frames.size(); ++f)
    frames[f] = must[f] || (frames[f] && f < present.kept.size() && present.kept[f]);
  return {};
}

// Positions in the present object of the frames to be kept.
Result<std::vector<std::uint32_t>> positions(const std::vector<bool>& kept, const KeptFrames& present) {
  std::vector<std::uint32_t> out;
  std::uint32_t next = 0;
  for (std::size_t frame = 0; frame < kept.size(); ++frame) {
    const bool there = present.generation == 0 || present.kept[frame];
    if (kept[frame] && !there) return Error(Errc::damaged, "it lacks frames that are to be kept");
    if (kept[frame]) out.push_back(next);
    if (there) ++next;
  }
  return out;
}

Result<void> copy(PackFrames& from, const std::vector<std::uint32_t>& frames, FrameSink& to,
                  std::stop_token stop) {
  const std::size_t run_max = std::max<std::size_t>(1, kCopyBytes / from.frame_bytes());
  for (std::size_t i = 0; i < frames.size();) {
    std::size_t count = 1;
    while (i + count < frames.size() && count < run_max && frames[i + count] == frames[i] + count) {
      ++count;
    }
    const Buffer run = TRY(from.read(frames[i], static_cast<std::uint32_t>(count), stop));
    TRY(to.add(run));
    i += count;
  }
  return {};
}

// Whether the object that is there already is what the spool holds.
Result<void> compare(storage::Storage& storage, const std::string& name, const storage::Spool& spool,
                     std::stop_token stop) {
  const storage::ObjectInfo info = TRY(storage.stat(name, stop));
  bool same = info.size_bytes == spool.size_bytes();
  Buffer mine;
  for (std::uint64_t at = 0; same && at < info.size_bytes; at += kCopyBytes) {
    mine.resize(std::min<std::uint64_t>(kCopyBytes, info.size_bytes - at));
    TRY(spool.read(at, mine));
    const Buffer theirs = TRY(storage.get(name, {at, mine.size()}, stop));
    same = theirs == mine;
  }
  if (same) return {};
  return Error(Errc::conflict, "the object " + name + " is there already, and is damaged");
}

}  // namespace

Result<std::vector<bool>> frames_of(const model::Slots& kept, const std::vector<DirectoryEntry>& directory,
                                    const Identity& identity, std::uint32_t data_frames,
                                    std::uint32_t directory_frames) {
  std::vector<bool> frames(std::size_t{data_frames} + directory_frames);
  std::uint32_t found = 0;
  for (std::uint32_t slot = 0; slot < directory.size(); ++slot) {
    if (!kept.contains(slot)) continue;
    ++found;
    const FrameSpan span = span_of(directory[slot], identity.payload_bytes());
    if (span.end > data_frames) return Error(Errc::damaged, "its directory does not fit");
    for (std::uint64_t f = span.first; f < span.end; ++f) frames[f] = true;
  }
  if (found != kept.count()) return Error(Errc::damaged, "it lacks slots that are referred to");
  for (std::uint32_t f = 0; f < directory_frames; ++f) frames[data_frames + f] = true;
  return frames;
}

std::uint64_t bytes_of(const model::Slots& kept, const model::ManifestPack& pack) {
  std::uint64_t stream_bytes = 0;
  for (const model::ManifestChunk& chunk : pack.chunks) stream_bytes += chunk.stored_bytes;
  Identity identity;
  identity.frame_log2 = frame_log2(stream_bytes);
  const std::size_t payload = identity.payload_bytes();
  std::uint64_t offset = 0, frames = 0, counted = 0;  // frames before `counted` are counted or dead
  for (std::uint32_t slot = 0; slot < pack.chunks.size(); ++slot) {
    const FrameSpan span = span_of(offset, pack.chunks[slot].stored_bytes, payload);
    offset += pack.chunks[slot].stored_bytes;
    if (!kept.contains(slot)) continue;
    frames += span.end - std::max(span.first, counted);
    counted = span.end;
  }
  const std::uint64_t directory = (directory_bytes(pack.chunks.size()) + payload - 1) / payload;
  return object_bytes(static_cast<std::uint32_t>(frames), static_cast<std::uint32_t>(directory),
                      identity.frame_bytes());
}

Result<std::uint64_t> relocate(storage::Storage& storage, const RepositoryId& repository,
                               const crypto::Key& index, const Relocation& relocation, std::stop_token stop) {
  storage::Storage& source = relocation.source != nullptr ? *relocation.source : storage;
  const auto pack = TRY(PackReader::open(source, {repository, nullptr, index, relocation.root},
                                         relocation.pack, relocation.from, stop));
  PackFrames& from = pack->frames();
  const std::string& name = from.name();
  Trailer trailer = pack->trailer();
  const KeptFrames& present = pack->header().kept;
  const std::uint32_t data_frames =
      present.generation == 0 ? trailer.data_frames : present.frames - trailer.directory_frames;
  KeptFrames kept;
  kept.generation = relocation.to;
  kept.frames = data_frames + trailer.directory_frames;
  if ((kept.frames + 7) / 8 > kKeptMapBytesMax) {
    return Error(Errc::unsupported, "pack " + name + " has too many frames to be relocated");
  }
  kept.kept = TRY_AS(frames_of(relocation.kept, pack->directory(), pack->header().identity, data_frames,
                               trailer.directory_frames),
                     "pack " + name);
  TRY_AS(spare_lost(kept.kept, relocation, *pack, data_frames), "pack " + name);
  const auto frames = TRY_AS(positions(kept.kept, present), "pack " + name);

  const Buffer header = relocated_header(from.header_bytes(), kept);
  const auto spool = TRY(storage.spool());
  TRY(spool->append(header));
  FrameSink to(*spool, from.frame_bytes(), static_cast<std::uint32_t>(frames.size()));
  TRY_AS(copy(from, frames, to, stop), "pack " + name);
  trailer.data_frames = static_cast<std::uint32_t>(frames.size()) - trailer.directory_frames;
  TRY(to.finish(header, trailer));
  const std::string target = pack_name(relocation.pack, relocation.to);
  const auto put = storage.put(target, *spool, stop);
  if (!put.ok() && put.error().kind() != Errc::exists) return put.error().copy().context("putting " + target);
  if (!put.ok()) TRY(compare(storage, target, *spool, stop));
  return spool->size_bytes();
}

}  // namespace holdfast::repo
