#include "chunk/chunk.h"

#include <bit>

#include "base/check.h"

namespace holdfast::chunk {
namespace {

constexpr std::size_t kHashBytes = 64;  // a byte is shifted out of a 64-bit Gear hash after 64 steps
constexpr int kNormalisation = 2;       // FastCDC's level: how many mask bits either side of the average

// A step of the rolling hash waits for the one before, so one stream leaves a core partly idle. Because H
// depends on 64 bytes only, four streams through neighbouring pieces go side by side; more gain nothing
// (bench/chunk_bench).
constexpr std::size_t kLaneBytes = 4 * kKiB;
constexpr std::size_t kBlockBytes = 4 * kLaneBytes;

constexpr std::size_t kNone = SIZE_MAX;

std::uint64_t step(const GearTable& table, std::uint64_t h, std::uint8_t byte) {
  return (h << 1) + table[byte];
}

// H at `at`, of the up to 64 bytes before it.
std::uint64_t hash_at(const GearTable& table, const std::uint8_t* data, std::size_t at) {
  std::uint64_t h = 0;
  for (std::size_t i = at - std::min(at, kHashBytes); i < at; ++i) h = step(table, h, data[i]);
  return h;
}

// The smallest p in (at, at + kBlockBytes] with H(p) < limit, or kNone. at ≥ kHashBytes.
std::size_t scan_block(const GearTable& table, const std::uint8_t* data, std::size_t at,
                       std::uint64_t limit) {
  const std::uint8_t* const lane = data + at;
  std::uint64_t h0 = hash_at(table, data, at);
  std::uint64_t h1 = hash_at(table, data, at + kLaneBytes);
  std::uint64_t h2 = hash_at(table, data, at + 2 * kLaneBytes);
  std::uint64_t h3 = hash_at(table, data, at + 3 * kLaneBytes);
  std::size_t found = kNone;
  for (std::size_t i = 0; i < kLaneBytes; ++i) {
    h0 = step(table, h0, lane[i]);
    h1 = step(table, h1, lane[i + kLaneBytes]);
    h2 = step(table, h2, lane[i + 2 * kLaneBytes]);
    h3 = step(table, h3, lane[i + 3 * kLaneBytes]);
    if (h0 < limit || h1 < limit || h2 < limit || h3 < limit) [[unlikely]] {
      const std::size_t p = at + i + 1;
      if (h0 < limit) return p;  // in the first lane: nothing can come before it
      if (h1 < limit) found = std::min(found, p + kLaneBytes);
      if (h2 < limit) found = std::min(found, p + 2 * kLaneBytes);
      if (h3 < limit) found = std::min(found, p + 3 * kLaneBytes);
    }
  }
  return found;
}

// The smallest p in [from, to) with H(p) < limit, or kNone.
std::size_t scan(const GearTable& table, const std::uint8_t* data, std::size_t from, std::size_t to,
                 std::uint64_t limit) {
  if (from >= to) return kNone;
  std::size_t at = from;
  std::uint64_t h = hash_at(table, data, at);
  if (h < limit) return at;
  if (at >= kHashBytes) {
    for (; to - at > kBlockBytes; at += kBlockBytes) {
      const std::size_t found = scan_block(table, data, at, limit);
      if (found != kNone) return found;
    }
    h = hash_at(table, data, at);
  }
  while (at + 1 < to) {
    h = step(table, h, data[at]);
    ++at;
    if (h < limit) return at;
  }
  return kNone;
}

}  // namespace

GearTable gear_table(Bytes secret) {
  GearTable table;
  HF_ASSERT(secret.size() == sizeof table);
  for (std::size_t i = 0; i < secret.size(); ++i) {
    if (i % 8 == 0) table[i / 8] = 0;
    table[i / 8] |= std::uint64_t{secret[i]} << (8 * (i % 8));
  }
  return table;
}

std::size_t cut(const GearTable& table, const Limits& limits, Bytes window, bool last) {
  HF_ASSERT(limits.size_min >= 1 && limits.size_min <= limits.size_average);
  HF_ASSERT(limits.size_average <= limits.size_max && limits.size_average >= 8);
  HF_ASSERT(std::has_single_bit(limits.size_average));

  // "The highest b bits are zero" is "below 2^(64 - b)".
  const int bits = std::countr_zero(limits.size_average);
  const std::uint64_t strict = std::uint64_t{1} << (64 - bits - kNormalisation);
  const std::uint64_t lax = std::uint64_t{1} << (64 - bits + kNormalisation);

  const std::size_t end = std::min<std::size_t>(window.size(), limits.size_max);
  const bool forced = end == limits.size_max;
  // H(end) counts too where the chunk may be longer than what is seen.
  const std::size_t to = forced ? end : end + 1;
  const std::size_t middle = std::min<std::size_t>(to, limits.size_average);
  std::size_t found = scan(table, window.data(), limits.size_min, middle, strict);
  if (found == kNone) {
    found = scan(table, window.data(), std::max(limits.size_min, limits.size_average), to, lax);
  }
  if (found != kNone) return found;
  return forced || last ? end : 0;
}

}  // namespace holdfast::chunk
