// What happens to a chunk after it is cut: hash, compress, seal, parity. Bytes a second of input.
#include <benchmark/benchmark.h>

#include <random>

#include <fmt/core.h>

#include "compress/compress.h"
#include "crypto/aead.h"
#include "crypto/hash.h"
#include "parity/parity.h"

namespace holdfast {
namespace {

Buffer noise(std::size_t size) {
  std::mt19937_64 random(1);
  Buffer out(size);
  for (auto& byte : out) byte = static_cast<std::uint8_t>(random());
  return out;
}

// Log lines with fields that vary.
Buffer log_lines(std::size_t size) {
  std::mt19937_64 random(1);
  Buffer out;
  for (unsigned line = 0; out.size() < size; ++line) {
    append(out, as_bytes(fmt::format("2026-01-{:02} line {} took {} ms, id {:x}\n", line % 28 + 1, line,
                                     random() % 1000, random() % 65536)));
  }
  out.resize(size);
  return out;
}

void count_bytes(benchmark::State& state, std::size_t each) {
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * each));
}

std::size_t size_argument(const benchmark::State& state) { return static_cast<std::size_t>(state.range(0)); }

void keyed_hash(benchmark::State& state) {
  const crypto::Key key(noise(32));
  const Buffer data = noise(size_argument(state));
  for (auto _ : state) benchmark::DoNotOptimize(crypto::keyed_hash(key, data));
  count_bytes(state, data.size());
}
BENCHMARK(keyed_hash)->Arg(64)->Arg(1 << 10)->Arg(4 << 10)->Arg(64 << 10)->Arg(1 << 20);

void seal(benchmark::State& state) {
  crypto::Aead aead{crypto::Key(noise(32))};
  const Buffer plain = noise(size_argument(state));
  Buffer sealed(plain.size() + crypto::kTagBytes);
  crypto::Nonce nonce{};
  for (auto _ : state) {
    ++nonce[0];
    aead.seal(nonce, as_bytes("frame"), plain, sealed);
    benchmark::ClobberMemory();
  }
  count_bytes(state, plain.size());
}
BENCHMARK(seal)->Arg(1 << 10)->Arg(4 << 10)->Arg(64 << 10);

void rekey_and_seal(benchmark::State& state) {
  const crypto::Key key(noise(32));
  crypto::Aead aead(key);
  const Buffer plain = noise(size_argument(state));
  Buffer sealed(plain.size() + crypto::kTagBytes);
  for (auto _ : state) {
    aead.rekey(key);
    aead.seal({}, as_bytes("frame"), plain, sealed);
    benchmark::ClobberMemory();
  }
  count_bytes(state, plain.size());
}
BENCHMARK(rekey_and_seal)->Arg(4 << 10);

void open(benchmark::State& state) {
  crypto::Aead aead{crypto::Key(noise(32))};
  Buffer plain = noise(64 << 10);
  Buffer sealed(plain.size() + crypto::kTagBytes);
  aead.seal({}, {}, plain, sealed);
  for (auto _ : state) {
    if (!aead.open({}, {}, sealed, plain)) state.SkipWithError("not opened");
  }
  count_bytes(state, plain.size());
}
BENCHMARK(open);

// Frames of a pack of 64 MiB, from memory, with the argument as the number of stripes.
void parity_accumulate(benchmark::State& state) {
  const parity::Layout layout{.stripes = static_cast<std::uint32_t>(state.range(0)), .per_stripe = 4};
  const std::uint32_t frames = std::min<std::uint32_t>(1024, layout.stripes * 124);
  const Buffer frame = noise(64 << 10);
  parity::Accumulator sums(frame.size(), layout);
  for (auto _ : state) {
    state.PauseTiming();
    sums.reset(layout);
    state.ResumeTiming();
    for (std::uint32_t f = 0; f < frames; ++f) sums.add(frame);
  }
  count_bytes(state, std::size_t{frames} * frame.size());
}
BENCHMARK(parity_accumulate)->Arg(1)->Arg(9)->Arg(16);

void parity_encode(benchmark::State& state) {
  const std::size_t frame_bytes = size_argument(state);
  const Buffer all = noise(124 * frame_bytes);
  Buffer sums(4 * frame_bytes);
  std::vector<Bytes> data;
  std::vector<MutableBytes> parity;
  for (std::size_t f = 0; f < 124; ++f) data.push_back(Bytes(all).subspan(f * frame_bytes, frame_bytes));
  for (std::size_t p = 0; p < 4; ++p)
    parity.push_back(MutableBytes(sums).subspan(p * frame_bytes, frame_bytes));
  for (auto _ : state) {
    parity::encode(data, parity, parity::layout(124));
    benchmark::ClobberMemory();
  }
  count_bytes(state, all.size());
}
BENCHMARK(parity_encode)->Arg(4 << 10)->Arg(64 << 10);

void parity_repair_four(benchmark::State& state) {
  Buffer all = noise(128 * (64 << 10));
  std::vector<MutableBytes> frames;
  for (std::size_t f = 0; f < 128; ++f) frames.push_back(MutableBytes(all).subspan(f * (64 << 10), 64 << 10));
  std::vector<bool> lost(128);
  lost[3] = lost[50] = lost[51] = lost[123] = true;
  for (auto _ : state) {
    if (!parity::repair(frames, lost, 124, parity::layout(124)).ok()) state.SkipWithError("not repaired");
  }
  count_bytes(state, std::size_t{124} * (64 << 10));
}
BENCHMARK(parity_repair_four);

void compress_at(benchmark::State& state, const Buffer& data) {
  compress::Compressor compressor;
  Buffer frame;
  std::size_t size = data.size();
  for (auto _ : state) {
    if (compressor.compress(data, static_cast<int>(state.range(0)), frame)) size = frame.size();
  }
  count_bytes(state, data.size());
  state.counters["ratio"] = static_cast<double>(data.size()) / static_cast<double>(size);
}

void compress_text(benchmark::State& state) { compress_at(state, log_lines(1 << 20)); }
BENCHMARK(compress_text)->Arg(-1)->Arg(1)->Arg(3)->Arg(9);
void compress_noise(benchmark::State& state) { compress_at(state, noise(1 << 20)); }
BENCHMARK(compress_noise)->Arg(1)->Arg(3);

void decompress(benchmark::State& state) {
  Buffer data = log_lines(1 << 20);
  Buffer frame;
  if (!compress::Compressor().compress(data, 3, frame)) state.SkipWithError("not compressed");
  compress::Decompressor decompressor;
  for (auto _ : state) {
    if (!decompressor.decompress(frame, data).ok()) state.SkipWithError("not decompressed");
  }
  count_bytes(state, data.size());
}
BENCHMARK(decompress);

void looks_incompressible(benchmark::State& state) {
  const Buffer data = noise(1 << 20);
  for (auto _ : state) benchmark::DoNotOptimize(compress::looks_incompressible(data));
  count_bytes(state, data.size());
}
BENCHMARK(looks_incompressible);

}  // namespace
}  // namespace holdfast
