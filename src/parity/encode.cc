#include <isa-l/erasure_code.h>

#include "parity/field.h"
#include "parity/parity.h"

namespace holdfast::parity {

Layout layout(std::uint32_t data_frames) {
  HF_ASSERT(data_frames >= 1);
  return {.stripes = (data_frames - 1) / kStripeFramesMax + 1,
          .per_stripe = std::min<std::uint32_t>(kParityMax, data_frames)};
}

bool fits(const Layout& layout, std::uint32_t data_frames) {
  return layout.stripes >= 1 && layout.per_stripe >= 1 && layout.per_stripe <= kParityMax &&
         data_frames <= std::uint64_t{layout.stripes} * kStripeFramesMax;
}

std::uint8_t coefficient(unsigned p, unsigned d) {
  HF_ASSERT(p < kParityMax && d < kStripeFramesMax);
  return gf_inv(static_cast<std::uint8_t>((kStripeFramesMax + p) ^ d));
}

const Matrix& generator() {
  static const Matrix matrix = [] {
    Buffer coefficients;
    for (unsigned p = 0; p < kParityMax; ++p) {
      for (unsigned d = 0; d < kStripeFramesMax; ++d) coefficients.push_back(coefficient(p, d));
    }
    return Matrix(kParityMax, kStripeFramesMax, coefficients);
  }();
  return matrix;
}

void encode(std::span<const Bytes> data, std::span<const MutableBytes> parity, const Layout& layout) {
  HF_ASSERT(fits(layout, static_cast<std::uint32_t>(data.size())));
  HF_ASSERT(parity.size() == layout.parity_frames());
  std::vector<Bytes> stripe;
  for (std::uint32_t s = 0; s < layout.stripes; ++s) {
    stripe.clear();
    for (std::size_t f = s; f < data.size(); f += layout.stripes) stripe.push_back(data[f]);
    combine(generator(), stripe, parity.subspan(std::size_t{s} * layout.per_stripe, layout.per_stripe));
  }
}

Accumulator::Accumulator(std::size_t frame_bytes, const Layout& layout) : frame_bytes_(frame_bytes) {
  HF_ASSERT(frame_bytes >= 1);
  reset(layout);
}

void Accumulator::add(Bytes frame) {
  HF_ASSERT(frame.size() == frame_bytes_ && fits(layout_, frames_ + 1));
  const std::uint32_t stripe = frames_ % layout_.stripes;
  const std::uint32_t position = frames_ / layout_.stripes;
  std::array<std::uint8_t*, kParityMax> sums{};
  for (std::uint32_t p = 0; p < layout_.per_stripe; ++p) {
    sums[p] = sums_.data() + (std::size_t{stripe} * layout_.per_stripe + p) * frame_bytes_;
  }
  generator().add(position, frame, std::span(sums).first(layout_.per_stripe));
  ++frames_;
}

Bytes Accumulator::parity(std::uint32_t stripe, std::uint32_t p) const {
  HF_ASSERT(stripe < layout_.stripes && p < layout_.per_stripe);
  return Bytes(sums_).subspan((std::size_t{stripe} * layout_.per_stripe + p) * frame_bytes_, frame_bytes_);
}

void Accumulator::reset(const Layout& layout) {
  HF_ASSERT(fits(layout, 1));
  layout_ = layout;
  frames_ = 0;
  sums_.assign(frame_bytes_ * layout.parity_frames(), 0);
}

}  // namespace holdfast::parity
