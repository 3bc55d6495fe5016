// Where chunks end: bytes a second of input, whole windows of 64 MiB.
#include <benchmark/benchmark.h>

#include <random>

#include "chunk/chunk.h"

namespace holdfast {
namespace {

Buffer noise(std::size_t size) {
  std::mt19937_64 random(1);
  Buffer out(size);
  for (auto& byte : out) byte = static_cast<std::uint8_t>(random());
  return out;
}

void cut_all(benchmark::State& state, const chunk::Limits& limits, std::size_t size) {
  const chunk::GearTable table = chunk::gear_table(noise(2048));
  const Buffer data = noise(size);
  std::size_t chunks = 0;
  for (auto _ : state) {
    for (Bytes rest = data; !rest.empty(); ++chunks) {
      rest = rest.subspan(chunk::cut(table, limits,
                                     rest.first(std::min<std::size_t>(rest.size(), limits.size_max)),
                                     rest.size() <= limits.size_max));
    }
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * data.size()));
  state.counters["mean_bytes"] =
      static_cast<double>(state.iterations() * data.size()) / static_cast<double>(chunks);
}

void memory(benchmark::State& state) { cut_all(state, {}, 64 * kMiB); }
BENCHMARK(memory);

// Nothing skipped: the rate of the hash itself.
void every_byte(benchmark::State& state) {
  cut_all(state, {.size_min = 1, .size_average = 1 * kMiB, .size_max = 4 * kMiB}, 64 * kMiB);
}
BENCHMARK(every_byte);

}  // namespace
}  // namespace holdfast
