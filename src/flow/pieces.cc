#include "flow/pieces.h"

#include <algorithm>
#include <map>

#include "base/codec.h"
#include "crypto/hash.h"

namespace holdfast::flow {

namespace {

// A file may have this many extents, and one more for each so many of its bytes.
constexpr std::size_t kPartsFree = 8;
constexpr std::size_t kBytesPerPart = 16 * kKiB;

constexpr std::size_t kWindowBytes = 8;
constexpr std::uint16_t kStrict = 1 << 2;  // 2^-14
constexpr std::uint16_t kLax = 1 << 6;     // 2^-10

// Eight windows side by side, at even distances from each other (GCC's and clang's vector extension).
using Words = std::uint16_t __attribute__((vector_size(16)));

Words load(const std::uint8_t* at) {
  Words words;
  std::memcpy(&words, at, sizeof words);
  return words;
}

Words sums(const std::uint8_t* at, const std::array<std::uint16_t, 4>& factors, std::uint16_t term) {
  return load(at) * factors[0] + load(at + 2) * factors[1] + load(at + 4) * factors[2] +
         load(at + 6) * factors[3] + term;
}

bool any(const Words& flags) {
  std::array<std::uint64_t, 2> halves;
  std::memcpy(&halves, &flags, sizeof halves);
  return (halves[0] | halves[1]) != 0;
}

// The smallest p in [from, to) where the sum of the window that ends at p is below `limit`; else `to`.
// from ≥ kWindowBytes.
std::size_t find_end(Bytes data, std::size_t from, std::size_t to, std::uint16_t limit,
                     const std::array<std::uint16_t, 4>& factors, std::uint16_t term) {
  // 16 windows at a time, of those with even and those with odd distances; each reads 8 + 14 + 1 bytes.
  constexpr std::size_t kStep = 16;
  std::size_t p = from;
  for (; p < to; p += kStep) {
    const std::uint8_t* const at = data.data() + p - kWindowBytes;
    if (p + kStep > data.size()) break;
    const Words even = sums(at, factors, term);
    const Words odd = sums(at + 1, factors, term);
    if (!any((even < limit) | (odd < limit))) continue;
    for (std::size_t i = 0; i < kStep / 2; ++i) {
      if (even[i] < limit) return std::min(to, p + 2 * i);
      if (odd[i] < limit) return std::min(to, p + 2 * i + 1);
    }
  }
  for (; p < to; ++p) {
    std::array<std::uint8_t, sizeof(Words) + kWindowBytes> window{};
    std::copy_n(data.begin() + static_cast<std::ptrdiff_t>(p - kWindowBytes), kWindowBytes, window.begin());
    if (sums(window.data(), factors, term)[0] < limit) return p;
  }
  return to;
}

bool continues(const model::Extent& before, const model::Extent& next) {
  return before.chunk == next.chunk && before.offset + before.length == next.offset;
}

}  // namespace

PieceCutter::PieceCutter(const crypto::Key& key)
    : fingerprint_(crypto::derive_key("holdfast 0 piece fingerprint", {key.bytes()})) {
  const crypto::Key secret = crypto::derive_key("holdfast 0 piece boundary", {key.bytes()});
  Decoder in(secret.bytes());
  // Odd, so that each bit of a window counts.
  for (std::uint16_t& factor : factors_) factor = in.u16() | 1;
  term_ = in.u16();
}

std::size_t PieceCutter::length_of_first(Bytes data) const {
  const std::size_t end = std::min(data.size(), kLengthMax);
  const std::size_t usual = std::min(end, kLengthUsual);
  if (end <= kLengthMin) return end;
  const std::size_t early = find_end(data, kLengthMin, usual, kStrict, factors_, term_);
  return early < usual ? early : find_end(data, usual, end, kLax, factors_, term_);
}

void PieceCutter::cut(Bytes data, std::vector<Piece>& pieces) {
  while (!data.empty()) {
    const std::size_t length = length_of_first(data);
    pieces.push_back({static_cast<std::uint32_t>(length), fingerprint_.of(data.first(length))});
    data = data.subspan(length);
  }
}

void OldPieces::add(const model::Extent& extent, const std::vector<Piece>& of_chunk) {
  std::uint64_t at = 0;
  for (const Piece& piece : of_chunk) {
    const std::uint64_t begin = at;
    at += piece.length;
    if (begin < extent.offset || piece.id == PieceId{}) continue;
    if (at > extent.offset + extent.length) break;
    places_.push_back({piece, extent});
    places_.back().where.offset = begin;
    places_.back().where.length = piece.length;
  }
  sorted_ = false;
}

void OldPieces::sort() {
  if (sorted_) return;
  std::stable_sort(places_.begin(), places_.end(),
                   [](const Place& a, const Place& b) { return a.piece.id < b.piece.id; });
  sorted_ = true;
}

// Where the piece lies; if in several places, best where `before` ends, so that the two make one extent.
const model::Extent* OldPieces::find(const Piece& piece, const Part* before) const {
  const auto [first, last] =
      std::equal_range(places_.begin(), places_.end(), Place{piece, {}},
                       [](const Place& a, const Place& b) { return a.piece.id < b.piece.id; });
  const model::Extent* found = nullptr;
  for (auto at = first; at != last; ++at) {
    if (at->piece.length != piece.length) continue;
    if (found == nullptr) found = &at->where;
    if (before == nullptr || !before->known) break;
    if (continues(before->where, at->where)) return &at->where;
  }
  return found;
}

std::vector<Part> OldPieces::divide(const std::vector<Piece>& pieces) {
  sort();
  std::vector<Part> parts;
  std::size_t at = 0;
  for (const Piece& piece : pieces) {
    Part* const before = parts.empty() ? nullptr : &parts.back();
    const model::Extent* const known = find(piece, before);
    const bool joins = before != nullptr && before->known == (known != nullptr) &&
                       (known == nullptr || continues(before->where, *known));
    if (joins) {
      before->length += piece.length;
      before->where.length += piece.length;
    } else {
      parts.push_back({at, piece.length, known != nullptr, known == nullptr ? model::Extent{} : *known});
    }
    at += piece.length;
  }
  return parts;
}

bool worth_dividing(const std::vector<Part>& parts) {
  std::size_t known = 0;
  std::size_t all = 0;
  for (const Part& part : parts) {
    all += part.length;
    if (part.known) known += part.length;
  }
  return known * 2 >= all && parts.size() <= kPartsFree + all / kBytesPerPart;
}

std::vector<model::Address> sparse_chunks(const std::vector<model::Extent>& content) {
  struct Use {
    std::uint64_t live = 0, begin = ~std::uint64_t{0}, end = 0;
  };
  std::map<model::Address, Use> uses;
  for (const model::Extent& extent : content) {
    if (extent.hole) continue;
    Use& use = uses[extent.chunk];
    use.live += extent.length;
    // Of a bundle the rest is other files'.
    use.begin = extent.id == model::ShortId{} ? std::min(use.begin, extent.offset) : 0;
    use.end = std::max(use.end, extent.offset + extent.length);
  }
  std::vector<model::Address> sparse;
  for (const auto& [chunk, use] : uses) {
    if (use.live * 2 < use.end - use.begin) sparse.push_back(chunk);
  }
  return sparse;
}

}  // namespace holdfast::flow
