// Sums of frames with coefficients in GF(2^8), by ISA-L: what encoding and repair are both made of.
// Private to the room.
#pragma once

#include <span>

#include "base/bytes.h"

namespace holdfast::parity {

// Multiplication tables for `rows` × `columns` coefficients (row by row) as ISA-L wants them.
class Matrix {
 public:
  Matrix(std::size_t rows, std::size_t columns, Bytes coefficients);

  // sums[r] += coefficient(r, column) · frame, for each r below sums.size() ≤ rows. Best where sums stay in
  // the cache from call to call.
  void add(std::size_t column, Bytes frame, std::span<std::uint8_t* const> sums) const;

  std::size_t columns() const { return columns_; }

 private:
  std::size_t columns_;
  Buffer tables_;
};

// sums[r] = the sum over c of coefficient(r, c) · sources[c], strip by strip. One source per column, or
// fewer; all of one size.
void combine(const Matrix& matrix, std::span<const Bytes> sources, std::span<const MutableBytes> sums);

// The generator: kParityMax rows of kStripeFramesMax coefficients. Built once, then constant; thread-safe.
const Matrix& generator();

}  // namespace holdfast::parity
