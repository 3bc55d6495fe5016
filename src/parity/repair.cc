#include <isa-l/erasure_code.h>

#include "parity/field.h"
#include "parity/parity.h"

namespace holdfast::parity {
namespace {

// One stripe and what of it is lost.
struct Stripe {
  std::vector<MutableBytes> data;    // by position
  std::vector<MutableBytes> parity;  // by p
  std::vector<unsigned> lost_data;
  std::vector<unsigned> lost_parity;
  std::vector<unsigned> good_parity;

  bool solvable() const { return lost_data.size() <= good_parity.size(); }
};

Stripe stripe_of(std::span<const MutableBytes> frames, const std::vector<bool>& lost,
                 std::uint32_t data_frames, const Layout& layout, std::uint32_t s) {
  Stripe stripe;
  for (std::size_t f = s; f < data_frames; f += layout.stripes) {
    if (lost[f]) stripe.lost_data.push_back(static_cast<unsigned>(stripe.data.size()));
    stripe.data.push_back(frames[f]);
  }
  for (unsigned p = 0; p < layout.per_stripe; ++p) {
    const std::size_t f = data_frames + std::size_t{s} * layout.per_stripe + p;
    (lost[f] ? stripe.lost_parity : stripe.good_parity).push_back(p);
    stripe.parity.push_back(frames[f]);
  }
  return stripe;
}

// The inverse of the e × e part of the generator that joins the lost data to the parity rows `rows`. Any
// square part of a Cauchy matrix has one. Solving this alone spares the inversion of a 124 × 124 matrix, 10
// ms each.
Buffer inverse_of_part(std::span<const unsigned> rows, std::span<const unsigned> lost) {
  Buffer part;
  for (unsigned p : rows) {
    for (unsigned d : lost) part.push_back(coefficient(p, d));
  }
  Buffer inverse(part.size());
  HF_ASSERT(gf_invert_matrix(part.data(), inverse.data(), static_cast<int>(lost.size())) == 0);
  return inverse;
}

// With known data K, lost data L and parity P over the rows used: P = A·K + B·L, so L = B⁻¹·P + B⁻¹·A·K
// (subtraction is addition in this field). One row for each lost frame over the sources K then P.
void solve_data(const Stripe& stripe) {
  const std::size_t e = stripe.lost_data.size();
  const auto rows = std::span(stripe.good_parity).first(e);
  const Buffer inverse = inverse_of_part(rows, stripe.lost_data);

  std::vector<unsigned> known;
  std::vector<Bytes> sources;
  for (unsigned d = 0; d < stripe.data.size(); ++d) {
    if (std::find(stripe.lost_data.begin(), stripe.lost_data.end(), d) != stripe.lost_data.end()) continue;
    known.push_back(d);
    sources.push_back(stripe.data[d]);
  }
  for (unsigned p : rows) sources.push_back(stripe.parity[p]);

  Buffer coefficients;
  std::vector<MutableBytes> targets;
  for (std::size_t i = 0; i < e; ++i) {
    const Bytes row = Bytes(inverse).subspan(i * e, e);
    for (unsigned d : known) {
      std::uint8_t sum = 0;
      for (std::size_t j = 0; j < e; ++j) sum ^= gf_mul(row[j], coefficient(rows[j], d));
      coefficients.push_back(sum);
    }
    append(coefficients, row);
    targets.push_back(stripe.data[stripe.lost_data[i]]);
  }
  combine(Matrix(e, sources.size(), coefficients), sources, targets);
}

void recompute_parity(const Stripe& stripe) {
  Buffer coefficients;
  std::vector<MutableBytes> targets;
  for (unsigned p : stripe.lost_parity) {
    for (unsigned d = 0; d < stripe.data.size(); ++d) coefficients.push_back(coefficient(p, d));
    targets.push_back(stripe.parity[p]);
  }
  const std::vector<Bytes> sources(stripe.data.begin(), stripe.data.end());
  combine(Matrix(targets.size(), sources.size(), coefficients), sources, targets);
}

}  // namespace

Result<void> repair(std::span<const MutableBytes> frames, const std::vector<bool>& lost,
                    std::uint32_t data_frames, const Layout& layout) {
  HF_ASSERT(fits(layout, data_frames));
  HF_ASSERT(frames.size() == std::size_t{data_frames} + layout.parity_frames());
  HF_ASSERT(lost.size() == frames.size());

  std::vector<Stripe> broken;
  for (std::uint32_t s = 0; s < layout.stripes; ++s) {
    Stripe stripe = stripe_of(frames, lost, data_frames, layout, s);
    if (!stripe.solvable()) {
      return Error(Errc::damaged, fmt::format("stripe {} lacks {} data frames and has {} parity frames", s,
                                              stripe.lost_data.size(), stripe.good_parity.size()));
    }
    if (!stripe.lost_data.empty() || !stripe.lost_parity.empty()) broken.push_back(std::move(stripe));
  }
  for (const Stripe& stripe : broken) {
    if (!stripe.lost_data.empty()) solve_data(stripe);
    if (!stripe.lost_parity.empty()) recompute_parity(stripe);
  }
  return {};
}

}  // namespace holdfast::parity
