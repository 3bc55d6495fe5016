// Any bytes as a zstd frame of any claimed size: an error or exactly that many bytes. What it gave,
// compressed again, must come back.
#include "base/check.h"
#include "compress/compress.h"

using namespace holdfast;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t claimed = data[0] | (std::size_t{data[1]} << 8);
  const Bytes frame(data + 2, size - 2);
  static compress::Decompressor decompressor;  // used over and over, as in the program
  static compress::Compressor compressor;
  Buffer out(claimed);
  const auto done = decompressor.decompress(frame, out);
  if (!done.ok()) {
    HF_ASSERT(done.error().kind() == Errc::damaged);
    return 0;
  }
  Buffer again;
  if (!compressor.compress(out, 1, again)) return 0;
  Buffer back(out.size());
  HF_ASSERT(decompressor.decompress(again, back).ok());
  HF_ASSERT(back == out);
  return 0;
}
