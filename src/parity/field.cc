#include "parity/field.h"

#include <isa-l/erasure_code.h>

#include "base/check.h"
#include "parity/parity.h"

namespace holdfast::parity {
namespace {

constexpr std::size_t kTableBytes = 32;  // ISA-L: products with the 16 low and the 16 high nibbles
// Four sums and a source of this size fit a first-level cache, and each source is read along, which the
// hardware foresees: with 124 sources side by side it does not.
constexpr std::size_t kStripBytes = 4 * kKiB;

}  // namespace

Matrix::Matrix(std::size_t rows, std::size_t columns, Bytes coefficients)
    : columns_(columns), tables_(kTableBytes * rows * columns) {
  HF_ASSERT(coefficients.size() == rows * columns);
  // ISA-L's pointers are not const, but it does not write there.
  ec_init_tables(static_cast<int>(columns), static_cast<int>(rows),
                 const_cast<std::uint8_t*>(coefficients.data()), tables_.data());
}

void Matrix::add(std::size_t column, Bytes frame, std::span<std::uint8_t* const> sums) const {
  HF_ASSERT(column < columns_ && sums.size() * columns_ * kTableBytes <= tables_.size());
  HF_ASSERT(sums.size() <= kParityMax && frame.size() <= std::size_t{1} << 30);
  std::array<std::uint8_t*, kParityMax> targets{};
  std::copy(sums.begin(), sums.end(), targets.begin());
  ec_encode_data_update(static_cast<int>(frame.size()), static_cast<int>(columns_),
                        static_cast<int>(sums.size()), static_cast<int>(column),
                        const_cast<std::uint8_t*>(tables_.data()), const_cast<std::uint8_t*>(frame.data()),
                        targets.data());
}

void combine(const Matrix& matrix, std::span<const Bytes> sources, std::span<const MutableBytes> sums) {
  HF_ASSERT(!sums.empty() && sums.size() <= kParityMax && sources.size() <= matrix.columns());
  const std::size_t frame_bytes = sums[0].size();
  for (Bytes source : sources) HF_ASSERT(source.size() == frame_bytes);
  for (MutableBytes sum : sums) HF_ASSERT(sum.size() == frame_bytes);

  std::array<std::uint8_t*, kParityMax> targets{};
  for (std::size_t at = 0; at < frame_bytes; at += kStripBytes) {
    const std::size_t strip = std::min(kStripBytes, frame_bytes - at);
    for (std::size_t r = 0; r < sums.size(); ++r) {
      targets[r] = sums[r].data() + at;
      std::memset(targets[r], 0, strip);
    }
    for (std::size_t c = 0; c < sources.size(); ++c) {
      matrix.add(c, sources[c].subspan(at, strip), std::span(targets).first(sums.size()));
    }
  }
}

}  // namespace holdfast::parity
