#include "repo/pack_frames.h"

#include <fmt/core.h>

#include <algorithm>

namespace holdfast::repo {

namespace {

// Rebuilt frames that are kept: those of a burst over all stripes of a pack.
constexpr std::size_t kRebuiltMax = 36;
constexpr std::uint64_t kWindowBytes = 4 * kMiB;
// Directory frames that a pack can have: 65536 slots in frames of 4 KiB.
constexpr std::uint32_t kDirectoryFramesMax = 1024;

Error damaged(std::string what) { return Error(Errc::damaged, std::move(what)); }

// Errors that tell nothing of these bytes alone: trying others would only take long.
bool is_general(const Error& error) {
  return error.kind() == Errc::stopped || error.kind() == Errc::not_found || error.kind() == Errc::denied ||
         retryable(error.kind());
}

Bytes entry(Bytes table, std::uint32_t position) {
  return table.subspan(position * sizeof(Hash), sizeof(Hash));
}

bool equal(Bytes a, Bytes b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

// Zeros are what is left of a hash that is lost.
bool missing(Bytes hash) {
  return std::all_of(hash.begin(), hash.end(), [](std::uint8_t b) { return b == 0; });
}

bool any_missing(Bytes table) {
  for (std::size_t at = 0; at < table.size(); at += sizeof(Hash)) {
    if (missing(table.subspan(at, sizeof(Hash)))) return true;
  }
  return false;
}

}  // namespace

Result<std::unique_ptr<PackFrames>> PackFrames::open(storage::Storage& storage, const Known& known,
                                                     const PackObject& pack, std::stop_token stop) {
  std::unique_ptr<PackFrames> frames(new PackFrames(storage, known, pack));  // NOLINT: private
  TRY_AS(frames->store_to_blame(frames->load_ends(stop)), "pack " + frames->name_);
  return frames;
}

std::uint32_t PackFrames::number_of(std::uint32_t position) const {
  return numbers_.empty() ? position : numbers_[position];
}

// A part of the object; shorter where the object ends.
Result<Buffer> PackFrames::piece(std::uint64_t offset, std::uint64_t length, std::stop_token stop) {
  if (offset >= object_bytes_) return Buffer{};
  auto bytes = storage_.get(name_, {offset, std::min(length, object_bytes_ - offset)}, stop);
  if (!bytes.ok() && !is_general(bytes.error())) {
    unreadable_ = bytes.error().copy();
    if (!refused_) refused_ = bytes.error().copy();
  }
  return bytes;
}

Result<void> PackFrames::load_ends(std::stop_token stop) {
  const storage::ObjectInfo info = TRY(storage_.stat(name_, stop));
  object_bytes_ = info.size_bytes;
  if (object_bytes_ < kPackHeaderBytes) return damaged("the object is too short");
  auto tail = piece(object_bytes_ - kPackTrailerBytes, kPackTrailerBytes, stop);
  if (!tail.ok() && is_general(tail.error())) return std::move(tail).error();
  auto decoded = tail.ok() ? decode_trailer(tail.value()) : Result<DecodedTrailer>(std::move(tail).error());
  if (!decoded.ok()) {
    const Buffer front = TRY(piece(0, kPackHeaderBytes, stop));
    TRY(take_header(front));
    return recover_trailer(stop);
  }
  TRY(take_header(decoded.value().header));
  trailer_ = decoded.value().trailer;
  root_known_ = true;
  if (trailer_.object_bytes(frame_bytes()) != object_bytes_)
    return damaged("the object's size is not what its trailer says");
  if (!numbers_.empty() && numbers_.size() != trailer_.frames())
    return damaged("its map of kept frames does not fit");
  return {};
}

Result<void> PackFrames::take_header(Bytes header) {
  header_ = TRY(decode_header(header));
  header_bytes_.assign(header.begin(), header.end());
  identity_hash_ = repo::identity_hash(header_bytes_);
  const Identity& identity = header_.identity;
  if (identity.repository != known_.repository || identity.pack != pack_.id)
    return damaged("the object is another pack under this name");
  for (std::uint32_t i = 0; i < header_.kept.kept.size(); ++i) {
    if (header_.kept.kept[i]) numbers_.push_back(i);
  }
  return {};
}

void PackFrames::set_frames(std::uint32_t frames) {
  const parity::Layout layout = parity::layout(frames);
  trailer_ = {};
  trailer_.data_frames = frames;
  trailer_.stripes = static_cast<std::uint16_t>(layout.stripes);
  trailer_.parity_per_stripe = static_cast<std::uint16_t>(layout.per_stripe);
  table_.clear();
  rebuilt_.clear();
}

// How many data and directory frames the object may have been written with, likeliest first.
std::vector<std::uint32_t> PackFrames::frame_counts() const {
  if (!numbers_.empty()) return {static_cast<std::uint32_t>(numbers_.size())};
  const std::uint64_t whole = (object_bytes_ - kPackHeaderBytes) / frame_bytes();
  std::vector<std::uint32_t> counts;
  for (std::uint32_t n = static_cast<std::uint32_t>(std::min<std::uint64_t>(whole, 1u << 20)); n > 0; --n) {
    const std::uint32_t parity = parity::layout(n).parity_frames();
    const std::uint64_t all = std::uint64_t{n} + parity;
    const std::uint64_t size =
        kPackHeaderBytes + all * (frame_bytes() + 2 * sizeof(Hash)) + kPackTrailerBytes;
    if (all + 1 < whole) break;  // then it would not be cut
    if (size == object_bytes_) {
      counts.insert(counts.begin(), n);
    } else if (size > object_bytes_) {
      counts.push_back(n);  // cut short, somewhere behind its directory
    }
  }
  return counts;
}

// Header and frames say all that the trailer says: the directory lies in the last frames, under a key of its
// own, and knows the slots.
Result<void> PackFrames::recover_trailer(std::stop_token stop) {
  if (known_.index == nullptr)
    return damaged("its trailer is lost, or it is cut short, and only the index secret can replace it");
  for (const std::uint32_t count : frame_counts()) {
    set_frames(count);
    const bool cut = trailer_.object_bytes(frame_bytes()) != object_bytes_;
    const bool found = TRY(find_directory(!cut || !numbers_.empty(), stop));
    if (!found) continue;
    note(cut ? fmt::format("it has {} bytes instead of {}: what is lost is rebuilt", object_bytes_,
                           trailer_.object_bytes(frame_bytes()))
             : "its trailer is damaged: rebuilt from header and directory");
    return {};
  }
  return damaged("its trailer is lost, and its directory too");
}

// Completes the trailer for that number of frames. False where no directory lies where it would have to.
Result<bool> PackFrames::find_directory(bool repair, std::stop_token stop) {
  FrameCipher cipher(directory_keys(*known_.index, header_.identity.salt), identity_hash_);
  const std::size_t payload = header_.identity.payload_bytes();
  const std::uint32_t all = trailer_.frames();
  Buffer directory;
  std::uint32_t found = 0;
  for (; found < std::min(all, kDirectoryFramesMax); ++found) {
    const std::uint32_t position = all - 1 - found;
    const std::uint32_t number = numbers_.empty() ? position : header_.kept.frames - 1 - found;
    Buffer frame = TRY(stored(position, 1, stop));
    Buffer plain(payload);
    if (!cipher.open(number, frame, plain)) {
      // Damaged, or the last frame of data?
      if (!repair) break;
      const auto loaded = load_table(stop);
      if (!loaded.ok() && is_general(loaded.error())) return loaded.error().copy();
      if (!loaded.ok() || whole(position, frame)) break;
      const auto again = rebuild(position, stop);
      if (!again.ok() || !cipher.open(number, again.value(), plain)) break;
    }
    plain.insert(plain.end(), directory.begin(), directory.end());
    directory = std::move(plain);
  }
  if (found == 0) return false;
  const auto entries = decode_directory(directory, ~std::uint64_t{0});
  if (!entries.ok()) return false;
  trailer_.data_frames = all - found;
  trailer_.directory_frames = found;
  trailer_.slots = static_cast<std::uint32_t>(entries.value().size());
  for (const DirectoryEntry& e : entries.value())
    trailer_.stream_bytes = std::max(trailer_.stream_bytes, std::uint64_t{e.offset} + e.stored_bytes);
  const std::uint64_t data = (trailer_.stream_bytes + payload - 1) / payload;
  table_.clear();  // its root is of these numbers
  return data == (numbers_.empty() ? all : header_.kept.frames) - found;
}

Result<void> PackFrames::expect_generation() const {
  if (header_.kept.generation == pack_.generation) return {};
  return damaged("the object is another pack under this name");
}

Result<bool> PackFrames::check_front(std::stop_token stop) {
  auto front = piece(0, kPackHeaderBytes, stop);
  if (!front.ok() && is_general(front.error())) return std::move(front).error();
  if (front.ok() && front.value() == header_bytes_) return true;
  note("the header is damaged, its copy in the trailer is whole");
  return false;
}

Result<Buffer> PackFrames::stored(std::uint32_t first, std::uint32_t count, std::stop_token stop) {
  const std::uint64_t at = kPackHeaderBytes + std::uint64_t{first} * frame_bytes();
  auto frames = piece(at, std::uint64_t{count} * frame_bytes(), stop);
  if (frames.ok()) {
    frames.value().resize(std::size_t{count} * frame_bytes());
    return frames;
  }
  if (is_general(frames.error())) return frames;
  Buffer out(std::size_t{count} * frame_bytes());
  for (std::uint32_t i = 0; count > 1 && i < count; ++i) {
    const auto frame = piece(at + i * frame_bytes(), frame_bytes(), stop);
    if (!frame.ok() && is_general(frame.error())) return frame.error().copy();
    if (frame.ok())
      std::copy(frame.value().begin(), frame.value().end(),
                out.begin() + static_cast<std::ptrdiff_t>(i * frame_bytes()));
  }
  return out;
}

bool PackFrames::whole(std::uint32_t position, Bytes frame) const {
  HF_ASSERT(!table_.empty());
  return equal(crypto::hash(frame), entry(table_, position));
}

void PackFrames::note(std::string text) {
  if (told_.insert(text).second) notes_.push_back(std::move(text));
}

std::vector<std::string> PackFrames::take_notes() {
  std::vector<std::string> notes = take_end_notes();
  std::string list;
  for (const std::uint32_t frame : fresh_) list += (list.empty() ? "" : ", ") + std::to_string(frame);
  if (!list.empty()) notes.push_back("frames rebuilt from parity: " + list);
  told_frames_.merge(fresh_);
  fresh_.clear();
  return notes;
}

// What the table must add up to; nothing where only the lost trailer knew.
std::optional<Hash> PackFrames::root() const {
  if (root_known_) return trailer_.root;
  return pack_.generation == 0 && trailer_.directory_frames > 0 ? known_.root : std::nullopt;
}

bool PackFrames::accept_table(Bytes table) {
  const auto expected = root();
  if (expected && root_of(table) != *expected) return false;
  table_.assign(table.begin(), table.end());
  trailer_.root = root_of(table);
  return true;
}

// Where the root can be had, the copy that it fits; else both must agree.
bool PackFrames::choose_table(Bytes a, Bytes b) {
  const std::size_t size = all_frames() * sizeof(Hash);
  if (root()) {
    const bool first = a.size() == size && accept_table(a);
    const bool second = b.size() == size && (first ? equal(a, b) : accept_table(b));
    if (first != second) note("one of two copies of the frame table is damaged");
    return first || second;
  }
  return a.size() == size && equal(a, b) && !any_missing(a) && accept_table(a);
}

Result<void> PackFrames::load_table(std::stop_token stop) {
  if (!table_.empty()) return {};
  unreadable_.reset();
  return store_to_blame(find_table(stop));
}

// Too much is lost; but what the store could not give may not be damaged at all.
Result<void> PackFrames::store_to_blame(Result<void> result) const {
  if (!result.ok() && result.error().kind() == Errc::damaged && unreadable_) return unreadable_->copy();
  return result;
}

Result<void> PackFrames::find_table(std::stop_token stop) {
  const std::uint64_t size = std::uint64_t{all_frames()} * sizeof(Hash);
  const std::uint64_t at = kPackHeaderBytes + std::uint64_t{all_frames()} * frame_bytes();
  Buffer copies[2];
  for (std::uint64_t i = 0; i < 2; ++i) {
    auto copy = piece(at + i * size, size, stop);
    if (!copy.ok() && is_general(copy.error())) return std::move(copy).error();
    if (copy.ok()) copies[i] = std::move(copy).value();
  }
  if (choose_table(copies[0], copies[1])) return {};
  for (Buffer& copy : copies) copy.resize(size);
  return table_from_frames(copies[0], copies[1], stop);
}

// No copy of the table can be believed as it is. Frames that either has the hash of are whole; where that is
// not enough, all are taken to be, if the root says so, or parity of every stripe where there is no root.
Result<void> PackFrames::table_from_frames(Bytes a, Bytes b, std::stop_token stop) {
  const std::uint32_t frames = trailer_.frames();
  const parity::Layout layout{trailer_.stripes, trailer_.parity_per_stripe};
  parity::Accumulator parity(frame_bytes(), layout);
  const auto step = static_cast<std::uint32_t>(std::max<std::uint64_t>(1, kWindowBytes / frame_bytes()));
  Buffer table;  // by the frames as they are
  std::vector<bool> confirmed(layout.stripes);
  for (std::uint32_t first = 0; first < all_frames(); first += step) {
    const std::uint32_t count = std::min(step, all_frames() - first);
    const Buffer window = TRY(stored(first, count, stop));
    for (std::uint32_t i = 0; i < count; ++i) {
      const Bytes frame = Bytes(window).subspan(i * frame_bytes(), frame_bytes());
      if (first + i < frames) {
        parity.add(frame);
        append(table, crypto::hash(frame));
        continue;
      }
      const std::uint32_t s = (first + i - frames) / layout.per_stripe;
      const Bytes computed = parity.parity(s, (first + i - frames) % layout.per_stripe);
      if (equal(frame, computed)) confirmed[s] = true;
      append(table, crypto::hash(computed));
    }
  }
  Buffer merged;
  bool decided = true;
  for (std::uint32_t i = 0; i < all_frames(); ++i) {
    const bool known = equal(entry(table, i), entry(a, i)) || equal(entry(table, i), entry(b, i));
    const bool agreed = equal(entry(a, i), entry(b, i)) && !missing(entry(a, i));
    decided = decided && (known || agreed);
    append(merged, !known && agreed ? entry(a, i) : entry(table, i));
  }
  const bool consistent = std::find(confirmed.begin(), confirmed.end(), false) == confirmed.end();
  const bool sure = root().has_value();
  const bool good =
      ((sure || decided) && accept_table(merged)) || ((sure || consistent) && accept_table(table));
  if (!good) return damaged("both copies of its frame table are damaged");
  note("both copies of the frame table are damaged: rebuilt from the frames");
  return {};
}

Result<Bytes> PackFrames::rebuild(std::uint32_t position, std::stop_token stop) {
  const auto known = rebuilt_.find(position);
  if (known != rebuilt_.end()) return Bytes(known->second);
  TRY(load_table(stop));
  const std::uint32_t frames = trailer_.frames();
  const std::uint32_t stripes = trailer_.stripes, per_stripe = trailer_.parity_per_stripe;
  const std::uint32_t s = position < frames ? position % stripes : (position - frames) / per_stripe;
  std::vector<std::uint32_t> members;
  for (std::uint32_t f = s; f < frames; f += stripes) members.push_back(f);
  const auto data = static_cast<std::uint32_t>(members.size());
  for (std::uint32_t p = 0; p < per_stripe; ++p) members.push_back(frames + s * per_stripe + p);
  std::vector<Buffer> stripe;
  std::vector<MutableBytes> views;
  std::vector<bool> lost;
  unreadable_.reset();
  for (const std::uint32_t member : members) {
    Buffer frame = TRY(stored(member, 1, stop));
    lost.push_back(!whole(member, frame));
    stripe.push_back(std::move(frame));
  }
  for (Buffer& frame : stripe) views.emplace_back(frame);
  const auto repaired = parity::repair(views, lost, data, {1, per_stripe});
  if (!repaired.ok() && unreadable_) return unreadable_->copy();
  if (!repaired.ok()) return damaged(fmt::format("pack {}: {}", name_, repaired.error().text()));
  if (rebuilt_.size() >= kRebuiltMax) rebuilt_.clear();
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (!lost[i]) continue;
    if (!whole(members[i], stripe[i]))
      return damaged(fmt::format("pack {}: parity does not give back frame {}", name_, members[i]));
    if (!told_frames_.contains(members[i])) fresh_.insert(members[i]);
    rebuilt_[members[i]] = std::move(stripe[i]);
  }
  const auto at = rebuilt_.find(position);
  if (at == rebuilt_.end()) {  // it was whole after all
    const auto index = std::find(members.begin(), members.end(), position) - members.begin();
    return Bytes(rebuilt_[position] = std::move(stripe[static_cast<std::size_t>(index)]));
  }
  return Bytes(at->second);
}

Result<Buffer> PackFrames::read(std::uint32_t first, std::uint32_t count, std::stop_token stop) {
  TRY(load_table(stop));
  Buffer frames = TRY(stored(first, count, stop));
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto frame = MutableBytes(frames).subspan(i * frame_bytes(), frame_bytes());
    if (whole(first + i, frame)) continue;
    const Bytes good = TRY(rebuild(first + i, stop));
    std::copy(good.begin(), good.end(), frame.begin());
  }
  return frames;
}

}  // namespace holdfast::repo
