// zstd (RFC 8878) for whole chunks, and the recognition of data that is not worth it. One Compressor or
// Decompressor belongs to one thread; both keep their memory between calls.
#pragma once

#include <memory>

#include "base/bytes.h"
#include "base/result.h"

namespace holdfast::compress {

// True where samples of the data look like noise (byte entropy above 7.8 bits in every one of a few
// 4 KiB samples): compressed or encrypted already. Cheap: reads at most 16 KiB. A guess: repeats farther
// apart than a sample are missed. False below 4 KiB.
bool looks_incompressible(Bytes data);

class Compressor {
 public:
  Compressor();
  ~Compressor();
  Compressor(Compressor&&) noexcept;
  Compressor& operator=(Compressor&&) noexcept;
  // One zstd frame at `level` (-7…19), with the content size in its header, replacing what `out` held.
  // False, `out` unspecified, where it would not be at least 3 % shorter than `data`.
  [[nodiscard]] bool compress(Bytes data, int level, Buffer& out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

class Decompressor {
 public:
  Decompressor();
  ~Decompressor();
  Decompressor(Decompressor&&) noexcept;
  Decompressor& operator=(Decompressor&&) noexcept;
  // Errc::damaged unless `data` is exactly one frame of exactly out.size() bytes. Never writes more.
  Result<void> decompress(Bytes data, MutableBytes out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::compress
