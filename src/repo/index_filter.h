// BinaryFuse8: an approximate set of 64-bit keys, about 9.2 bits a key, no false negatives, a false
// positive for one foreign key in 256. T. M. Graf, D. Lemire, "Binary Fuse Filters: Fast and Smaller
// Than Xor Filters", ACM Journal of Experimental Algorithmics 27, 2022 (arXiv 2201.01174), arity 3.
// Building takes about 26 bytes of memory a key for the time it lasts. Pure; const use is
// thread-safe.
#pragma once

#include <optional>
#include <vector>

#include "base/bytes.h"

namespace holdfast::repo {

class BinaryFuse8 {
 public:
  // All that is needed beside the fingerprints to ask the filter again.
  struct Shape {
    std::uint64_t seed = 0;
    std::uint32_t segment_bits = 0;   // log2 of the length of a segment
    std::uint32_t segment_count = 0;  // segments that a key's first place may be in
    std::uint64_t bytes() const { return (std::uint64_t{segment_count} + 2) << segment_bits; }
  };

  // Keys may repeat. Nothing where no seed of many works, which is not expected to happen.
  static std::optional<BinaryFuse8> build(std::vector<std::uint64_t> keys);
  // The most bytes that a filter of up to `keys` keys takes.
  static std::uint64_t bytes_max(std::size_t keys);

  // Nothing known: contains no key.
  BinaryFuse8() = default;
  // `fingerprints.size()` must be shape.bytes().
  BinaryFuse8(const Shape& shape, Buffer fingerprints);

  bool may_contain(std::uint64_t key) const;
  const Shape& shape() const { return shape_; }
  Bytes fingerprints() const { return fingerprints_; }

 private:
  Shape shape_;
  Buffer fingerprints_;
};

}  // namespace holdfast::repo
