// Reed–Solomon parity over GF(2^8) with a Cauchy matrix (ISA-L), for the frames of a pack. n data frames lie
// in S stripes: frame f is in stripe f mod S at position d = f div S (0…123). Each stripe has m parity
// frames (1…4), so any m lost frames of a stripe, data or parity, can be computed from the others. S is at
// least ceil(n / 124) and is stored with the pack: a writer that streams fixes S before it knows n. The field
// is modulo x^8 + x^4 + x^3 + x^2 + 1 (0x11d). Parity p of a stripe is the sum over d of coefficient(p, d) ·
// frame at d, coefficient = inverse((124 + p) xor d), whatever the stripe's true length: missing positions
// count as zero frames. Specified in docs/format/pack.md. Pure; an Accumulator belongs to one thread. All
// frames and parities of one call are of one size.
#pragma once

#include <span>

#include "base/bytes.h"
#include "base/result.h"

namespace holdfast::parity {

inline constexpr unsigned kStripeFramesMax = 124;
inline constexpr unsigned kParityMax = 4;

struct Layout {
  std::uint32_t stripes;     // S
  std::uint32_t per_stripe;  // m
  std::uint32_t parity_frames() const { return stripes * per_stripe; }
  bool operator==(const Layout&) const = default;
};
// The smallest S, and m = min(4, n). n ≥ 1.
Layout layout(std::uint32_t data_frames);
// Whether `layout` can hold that many data frames: what a reader asks of a stored one before it is used.
bool fits(const Layout& layout, std::uint32_t data_frames);

// The coefficient above; p < 4, d < 124.
std::uint8_t coefficient(unsigned p, unsigned d);

// Parity of data frames all given at once. parity[s * m + p] gets parity p of stripe s. Works in strips that
// fit the cache. `layout` must fit.
void encode(std::span<const Bytes> data, std::span<const MutableBytes> parity, const Layout& layout);

// The same for frames that come one at a time, in order f = 0, 1, 2, … while n is not known. Holds all
// parity frames in memory: S · m · frame_bytes.
class Accumulator {
 public:
  Accumulator(std::size_t frame_bytes, const Layout& layout);

  // The next frame; exactly frame_bytes. At most 124 · S frames.
  void add(Bytes frame);
  std::uint32_t frames() const { return frames_; }
  const Layout& layout() const { return layout_; }
  // Parity p of stripe s, of the frames so far.
  Bytes parity(std::uint32_t stripe, std::uint32_t p) const;
  // As new, for frames of the same size.
  void reset(const Layout& layout);

 private:
  std::size_t frame_bytes_;
  Layout layout_;
  std::uint32_t frames_ = 0;
  Buffer sums_;  // S · m frames, stripe by stripe
};

// Recomputes lost frames in place. `frames` are the n data frames followed by the parity frames (stripe by
// stripe: index n + s * m + p); `lost[i]` says which are unknown. `layout` must fit. Errc::damaged where any
// stripe lacks more than it has parity for; frames then are unchanged.
Result<void> repair(std::span<const MutableBytes> frames, const std::vector<bool>& lost,
                    std::uint32_t data_frames, const Layout& layout);

}  // namespace holdfast::parity
