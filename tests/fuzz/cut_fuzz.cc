// Any bytes under any limits: cuts within the limits that don't depend on the window.
#include "base/check.h"
#include "base/codec.h"
#include "chunk/chunk.h"

using namespace holdfast;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Decoder in({data, size});
  chunk::Limits limits;
  limits.size_average = 8u << (in.u8() % 8);
  limits.size_min = in.u16() % limits.size_average + 1;
  limits.size_max = limits.size_average + in.u16() % 4096;
  const std::size_t piece = in.u8() + std::size_t{1};
  chunk::GearTable table;
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = (i + 1) * 0x9e3779b97f4a7c15u;
  if (!in.ok()) return 0;

  Bytes rest = in.raw(in.left());
  while (!rest.empty()) {
    const std::size_t length = chunk::cut(table, limits, rest, true);
    HF_ASSERT(length >= 1 && length <= rest.size() && length <= limits.size_max);
    HF_ASSERT(length >= limits.size_min || length == rest.size());
    std::size_t window = 0;
    std::size_t grown = 0;
    while ((grown = chunk::cut(table, limits, rest.first(window), window == rest.size())) == 0) {
      HF_ASSERT(window < rest.size());
      window += std::min(piece, rest.size() - window);
    }
    HF_ASSERT(grown == length);
    rest = rest.subspan(length);
  }
  return 0;
}
