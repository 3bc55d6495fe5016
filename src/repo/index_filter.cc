#include "repo/index_filter.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace holdfast::repo {

namespace {

constexpr int kAttempts = 64;
constexpr std::uint32_t kSegmentBitsMax = 18;

// The finaliser of MurmurHash3 (A. Appleby, public domain): a bijection of 64 bits that mixes well.
std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdULL;
  x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53ULL;
  return x ^ (x >> 33);
}

std::uint64_t high_product(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>((static_cast<Wide>(a) * b) >> 64);
}

std::uint8_t fingerprint(std::uint64_t hash) { return static_cast<std::uint8_t>(hash ^ (hash >> 32)); }

// The three places of a hash: one in each of three consecutive segments.
std::array<std::uint32_t, 3> places(const BinaryFuse8::Shape& shape, std::uint64_t hash) {
  const std::uint32_t length = std::uint32_t{1} << shape.segment_bits;
  const std::uint32_t mask = length - 1;
  const auto first = static_cast<std::uint32_t>(
      high_product(hash, std::uint64_t{shape.segment_count} << shape.segment_bits));
  return {first, (first + length) ^ (static_cast<std::uint32_t>(hash >> 18) & mask),
          (first + 2 * length) ^ (static_cast<std::uint32_t>(hash) & mask)};
}

// Section 3 of the paper: segment length 2^⌊log_3.33 n + 2.25⌋.
std::uint32_t segment_bits_for(std::size_t keys) {
  const double bits = std::floor(std::log(static_cast<double>(keys)) / std::log(3.33) + 2.25);
  return std::min(static_cast<std::uint32_t>(bits), kSegmentBitsMax);
}

// ibid.: n · max(1.125, 0.875 + 0.25 · log 10^6 / log n) places.
std::uint64_t capacity_for(std::size_t keys) {
  const auto n = static_cast<double>(keys);
  const double factor = std::max(1.125, 0.875 + 0.25 * std::log(1e6) / std::log(n));
  return static_cast<std::uint64_t>(std::ceil(n * factor));
}

BinaryFuse8::Shape shape_for(std::size_t keys) {
  keys = std::max<std::size_t>(keys, 2);
  BinaryFuse8::Shape shape;
  shape.segment_bits = segment_bits_for(keys);
  const std::uint64_t length = std::uint64_t{1} << shape.segment_bits;
  const std::uint64_t segments = (capacity_for(keys) + length - 1) / length;
  shape.segment_count = static_cast<std::uint32_t>(std::max<std::uint64_t>(segments, 3) - 2);
  return shape;
}

// A hash that had a place for itself when its turn came, and which of its three places that was.
struct Peeled {
  std::uint64_t hash;
  std::uint8_t which;
};

// One slot while peeling: how many hashes are on it, and their exclusive or, so that the last one
// left can be read off.
struct Slots {
  explicit Slots(std::uint64_t size) : count(size), sum(size) {}
  std::vector<std::uint32_t> count;
  std::vector<std::uint64_t> sum;
};

// Takes hashes off, each at a time when it's alone on one of its places. All come off, or the seed
// is no good.
std::vector<Peeled> peel(const BinaryFuse8::Shape& shape, const std::vector<std::uint64_t>& keys) {
  Slots slots(shape.bytes());
  for (const std::uint64_t key : keys) {
    const std::uint64_t hash = mix(key + shape.seed);
    for (const std::uint32_t place : places(shape, hash)) {
      ++slots.count[place];
      slots.sum[place] ^= hash;
    }
  }
  std::vector<std::uint32_t> alone;
  for (std::uint32_t place = 0; place < slots.count.size(); ++place) {
    if (slots.count[place] == 1) alone.push_back(place);
  }
  std::vector<Peeled> peeled;
  peeled.reserve(keys.size());
  while (!alone.empty()) {
    const std::uint32_t at = alone.back();
    alone.pop_back();
    if (slots.count[at] != 1) continue;
    const std::uint64_t hash = slots.sum[at];
    const auto of_hash = places(shape, hash);
    for (std::uint8_t which = 0; which < 3; ++which) {
      const std::uint32_t place = of_hash[which];
      if (place == at) peeled.push_back({hash, which});
      slots.sum[place] ^= hash;
      if (--slots.count[place] == 1) alone.push_back(place);
    }
  }
  return peeled;
}

}  // namespace

std::optional<BinaryFuse8> BinaryFuse8::build(std::vector<std::uint64_t> keys) {
  Shape shape = shape_for(keys.size());
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    shape.seed = mix(static_cast<std::uint64_t>(attempt) + 1);
    std::vector<Peeled> peeled = peel(shape, keys);
    if (peeled.size() == keys.size()) {
      Buffer fingerprints(shape.bytes());
      for (auto at = peeled.rbegin(); at != peeled.rend(); ++at) {
        const auto of_hash = places(shape, at->hash);
        std::uint8_t value = fingerprint(at->hash);
        for (std::uint8_t which = 0; which < 3; ++which) {
          if (which != at->which) value ^= fingerprints[of_hash[which]];
        }
        fingerprints[of_hash[at->which]] = value;
      }
      return BinaryFuse8(shape, std::move(fingerprints));
    }
    // A key given twice never peels.
    if (attempt == 0) {
      std::sort(keys.begin(), keys.end());
      keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    }
  }
  return std::nullopt;
}

std::uint64_t BinaryFuse8::bytes_max(std::size_t keys) {
  keys = std::max<std::size_t>(keys, 2);
  const std::uint64_t length = std::uint64_t{1} << segment_bits_for(keys);
  return std::max(capacity_for(keys) + length, 3 * length);
}

BinaryFuse8::BinaryFuse8(const Shape& shape, Buffer fingerprints)
    : shape_(shape), fingerprints_(std::move(fingerprints)) {
  HF_ASSERT(fingerprints_.size() == shape_.bytes());
}

bool BinaryFuse8::may_contain(std::uint64_t key) const {
  if (fingerprints_.empty()) return false;
  const std::uint64_t hash = mix(key + shape_.seed);
  const auto at = places(shape_, hash);
  return (fingerprint(hash) ^ fingerprints_[at[0]] ^ fingerprints_[at[1]] ^ fingerprints_[at[2]]) == 0;
}

}  // namespace holdfast::repo
