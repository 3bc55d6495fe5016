// Reed–Solomon parity over GF(2^8) with a Cauchy matrix (ISA-L), for the frames of a pack. A pack of n data
// frames has S = ceil(n / 124) stripes; frame f is in stripe f mod S; each stripe has m = min(4, n)
// parity frames, so any m lost frames of a stripe can be computed from the others.
// The generator row for parity p and data position d (d = f div S, 0…123) is the Cauchy coefficient
// inverse((k + p) xor d) with k = 124, whatever the stripe's true length: missing positions count as zero frames.
// Specified in docs/format/pack.md.
#pragma once

#include <span>

#include "base/bytes.h"
#include "base/result.h"

namespace holdfast::parity {

inline constexpr unsigned kStripeFramesMax = 124;

struct Layout {
  std::uint32_t stripes;      // S
  std::uint32_t per_stripe;   // m
  std::uint32_t parity_frames() const { return stripes * per_stripe; }
};
// n ≥ 1.
Layout layout(std::uint32_t data_frames);

// The coefficient above; p < 4, d < 124.
std::uint8_t coefficient(unsigned p, unsigned d);

// Adds up parity of data frames all given at once. parity[s * m + p] gets parity p of stripe s; all
// frames and parities are of one size. Work goes in strips that fit the L2 cache.
void encode(std::span<const Bytes> data, std::span<const MutableBytes> parity, const Layout& layout);

// Recomputes lost frames in place. `frames` are the n data frames followed by the parity frames (stripe by stripe:
// index n + s * m + p); `lost[i]` says which are unknown. Errc::damaged where any stripe lacks more than it
// has parity for; frames then are unchanged.
Result<void> repair(std::span<const MutableBytes> frames, const std::vector<bool>& lost,
                    std::uint32_t data_frames);

}  // namespace holdfast::parity
