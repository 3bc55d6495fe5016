// Where chunks end. Pure: the same bytes under the same key give the same cuts, however they are windowed.
//
// Content-defined: a keyed Gear rolling hash (256 random 64-bit words, expanded from a key by BLAKE3) with
// FastCDC's normalised chunking, level 2 (Xia et al., USENIX ATC 2016 and TPDS 2020): no cut before size_min,
// a stricter mask before size_average, a laxer one from there, a forced cut at size_max.
//
// Exactly: H(p) = the sum over j = 0…min(p, 64)-1 of table[byte p-1-j] · 2^j modulo 2^64, the Gear hash of
// the last 64 bytes of the first p of the chunk. With a = log2(size_average), the chunk's length is the
// smallest p with size_min ≤ p < size_max for which the highest b bits of H(p) are all zero, b = a + 2 while
// p < size_average and b = a - 2 from p = size_average on; else size_max; or all that is left, where that is
// shorter. (FastCDC scatters its mask's bits; here the highest bits each depend on all of the 64 bytes.)
// Specified in docs/format/chunking.md.
#pragma once

#include "base/bytes.h"

namespace holdfast::chunk {

// 1 ≤ size_min ≤ size_average ≤ size_max; size_average a power of two from 8.
struct Limits {
  std::uint32_t size_min = 256 * kKiB;
  std::uint32_t size_average = 1 * kMiB;
  std::uint32_t size_max = 4 * kMiB;
};

using GearTable = std::array<std::uint64_t, 256>;
// Word i is the little-endian u64 at 8·i of `secret`, 2048 secret bytes.
GearTable gear_table(Bytes secret);

// Length of the first chunk of `window`; `last` says that nothing follows it. 0: need more bytes (only where
// !last and window.size() < size_max, or where nothing is left). Scans from the beginning each time: give
// windows of size_max where the data allows.
std::size_t cut(const GearTable& table, const Limits& limits, Bytes window, bool last);

}  // namespace holdfast::chunk
