#include "compress/compress.h"

#include <zstd.h>
#include <zstd_errors.h>

namespace holdfast::compress {
namespace {

constexpr int kLevelMin = -7;
constexpr int kLevelMax = 19;

template <typename T>
T* not_null(T* made) {
  HF_MEMORY(made != nullptr);
  return made;
}

Error damaged(std::string message) { return Error(Errc::damaged, std::move(message)); }

// Skippable frames, which zstd reads as zero bytes of content, are no frames of ours.
bool begins_zstd_frame(Bytes data) {
  static constexpr std::uint8_t kMagic[] = {0x28, 0xb5, 0x2f, 0xfd};  // RFC 8878 §3.1.1
  return data.size() >= sizeof kMagic && std::memcmp(data.data(), kMagic, sizeof kMagic) == 0;
}

}  // namespace

struct Compressor::State {
  ZSTD_CCtx* context = not_null(ZSTD_createCCtx());
  // Grows to the bound of the largest chunk seen and stays, so that no call clears memory.
  Buffer scratch;

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { ZSTD_freeCCtx(context); }
};

Compressor::Compressor() : state_(std::make_unique<State>()) {}
Compressor::~Compressor() = default;
Compressor::Compressor(Compressor&&) noexcept = default;
Compressor& Compressor::operator=(Compressor&&) noexcept = default;

bool Compressor::compress(Bytes data, int level, Buffer& out) {
  HF_ASSERT(level >= kLevelMin && level <= kLevelMax);
  ZSTD_CCtx* const context = state_->context;
  // Content size in the frame and no checksum (every frame is authenticated) are zstd's defaults.
  HF_ASSERT(!ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)));
  const std::size_t bound = ZSTD_compressBound(data.size());
  if (state_->scratch.size() < bound) state_->scratch.resize(bound);
  const std::size_t size =
      ZSTD_compress2(context, state_->scratch.data(), state_->scratch.size(), data.data(), data.size());
  HF_MEMORY(ZSTD_getErrorCode(size) != ZSTD_error_memory_allocation);
  HF_ASSERT(!ZSTD_isError(size));
  const std::size_t worth = data.size() - (data.size() * 3 + 99) / 100;
  if (size > worth) return false;
  out.assign(state_->scratch.begin(), state_->scratch.begin() + static_cast<std::ptrdiff_t>(size));
  return true;
}

struct Decompressor::State {
  ZSTD_DCtx* context = not_null(ZSTD_createDCtx());

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { ZSTD_freeDCtx(context); }
};

Decompressor::Decompressor() : state_(std::make_unique<State>()) {}
Decompressor::~Decompressor() = default;
Decompressor::Decompressor(Decompressor&&) noexcept = default;
Decompressor& Decompressor::operator=(Decompressor&&) noexcept = default;

// Memory stays bounded by out.size(): in one call zstd decodes straight into `out` and keeps no window.
Result<void> Decompressor::decompress(Bytes data, MutableBytes out) {
  if (!begins_zstd_frame(data)) return damaged("not a zstd frame");
  const unsigned long long content = ZSTD_getFrameContentSize(data.data(), data.size());
  if (content != out.size()) return damaged(fmt::format("zstd frame is not of {} bytes", out.size()));
  if (ZSTD_findFrameCompressedSize(data.data(), data.size()) != data.size()) {
    return damaged("zstd data is not exactly one frame");
  }
  const std::size_t size =
      ZSTD_decompressDCtx(state_->context, out.data(), out.size(), data.data(), data.size());
  if (ZSTD_isError(size)) return damaged(fmt::format("zstd: {}", ZSTD_getErrorName(size)));
  if (size != out.size()) return damaged(fmt::format("zstd gave {} bytes of {}", size, out.size()));
  return {};
}

}  // namespace holdfast::compress
