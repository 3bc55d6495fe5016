// Where chunks end. Pure: the same bytes under the same key give the same cuts, however they are windowed.
//
// Content-defined: a keyed Gear rolling hash (256 random 64-bit words, expanded from a key by BLAKE3) with
// FastCDC's normalised chunking (Xia et al., USENIX ATC 2016 and TPDS 2020): no cut before size_min, a
// stricter mask before size_average, a laxer one after it, a forced cut at size_max.
// Specified in docs/format/chunking.md.
#pragma once

#include "base/bytes.h"

namespace holdfast::chunk {

struct Limits {
  std::uint32_t size_min = 256 * kKiB;
  std::uint32_t size_average = 1 * kMiB;  // a power of two
  std::uint32_t size_max = 4 * kMiB;
};

using GearTable = std::array<std::uint64_t, 256>;
// Word i is the little-endian u64 at 8·i of `secret`, 2048 secret bytes.
GearTable gear_table(Bytes secret);

// Length of the first chunk of `window`; `last` says that nothing follows it. 0: need more bytes (only where
// !last and window.size() < size_max).
std::size_t cut(const GearTable& table, const Limits& limits, Bytes window, bool last);

}  // namespace holdfast::chunk
