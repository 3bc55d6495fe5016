// Any layout and any losses: repair gives back every frame, or says that it can't and changes nothing.
#include "base/check.h"
#include "base/codec.h"
#include "parity/parity.h"

using namespace holdfast;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Decoder in({data, size});
  const std::uint32_t n = in.u16() % 300u + 1;
  const parity::Layout layout{.stripes = in.u8() % 8u, .per_stripe = in.u8() % 6u};
  const std::size_t frame_bytes = in.u8() + std::size_t{1};
  const std::uint64_t losses = in.u8() % 16u;
  if (!in.ok() || !parity::fits(layout, n)) return 0;

  std::vector<Buffer> frames(n + layout.parity_frames(), Buffer(frame_bytes));
  for (std::uint32_t f = 0; f < n; ++f) {
    for (std::size_t i = 0; i < frame_bytes; ++i) {
      frames[f][i] = static_cast<std::uint8_t>(data[(f * frame_bytes + i) % size] + f);
    }
  }
  const std::vector<Bytes> sources(frames.begin(), frames.begin() + n);
  const std::vector<MutableBytes> sums(frames.begin() + n, frames.end());
  parity::encode(sources, sums, layout);

  const auto good = frames;
  std::vector<bool> lost(frames.size());
  std::vector<unsigned> lost_of(layout.stripes);
  for (std::uint64_t i = 0; i < losses; ++i) {
    const std::size_t f = in.u16() % frames.size();
    if (lost[f]) continue;
    lost[f] = true;
    ++lost_of[f < n ? f % layout.stripes : (f - n) / layout.per_stripe];
    frames[f].assign(frame_bytes, 0x5a);
  }
  bool possible = true;
  for (unsigned count : lost_of) possible = possible && count <= layout.per_stripe;
  const auto spoiled = frames;
  const std::vector<MutableBytes> views(frames.begin(), frames.end());
  const bool done = parity::repair(views, lost, n, layout).ok();
  HF_ASSERT(done == possible);
  HF_ASSERT(frames == (done ? good : spoiled));
  return 0;
}
