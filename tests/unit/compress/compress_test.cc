#include "compress/compress.h"

#include <gtest/gtest.h>
#include <zstd.h>

#include <random>

namespace holdfast::compress {
namespace {

Buffer noise(std::size_t size, unsigned seed) {
  std::mt19937_64 random(seed);
  Buffer out(size);
  for (auto& byte : out) byte = static_cast<std::uint8_t>(random());
  return out;
}

// Words drawn from a small vocabulary.
Buffer text(std::size_t size, unsigned seed) {
  static constexpr std::string_view kWords[] = {"backup ", "restore ", "the ",   "of ",    "frame ",
                                                "pack\n",  "commit ",  "index ", "prune ", "a "};
  std::mt19937_64 random(seed);
  Buffer out;
  while (out.size() < size) append(out, as_bytes(kWords[random() % std::size(kWords)]));
  out.resize(size);
  return out;
}

Buffer opened(Decompressor& decompressor, Bytes frame, std::size_t size) {
  Buffer out(size);
  const auto done = decompressor.decompress(frame, out);
  EXPECT_TRUE(done.ok()) << (done.ok() ? "" : done.error().text());
  return out;
}

void expect_damaged(Decompressor& decompressor, Bytes frame, std::size_t size) {
  Buffer out(size);
  const auto done = decompressor.decompress(frame, out);
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().kind(), Errc::damaged);
}

// RFC 8878 §3.1.2, of no bytes.
constexpr std::uint8_t kSkippable[] = {0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0};

TEST(Compress, comes_back_at_every_level) {
  Compressor compressor;
  Decompressor decompressor;
  Buffer frame;
  for (int level : {-7, -1, 0, 1, 3, 9, 19}) {
    for (std::size_t size : {100u, 4096u, 70'000u, 1'048'576u}) {
      if (level == 19 && size > 100'000) continue;  // slow
      if (level < 0 && size < 1000) continue;       // the fast levels find too little there
      const Buffer data = text(size, 1);
      ASSERT_TRUE(compressor.compress(data, level, frame)) << level << ' ' << size;
      EXPECT_LT(frame.size(), size * 97 / 100 + 1);
      EXPECT_EQ(ZSTD_getFrameContentSize(frame.data(), frame.size()), size);
      EXPECT_EQ(opened(decompressor, frame, size), data);
    }
  }
}

TEST(Compress, same_input_same_frame_whatever_came_before) {
  Compressor used;
  Buffer first;
  Buffer second;
  ASSERT_TRUE(used.compress(text(500'000, 2), 7, first));
  ASSERT_TRUE(used.compress(text(10'000, 3), 3, first));
  Compressor fresh;
  ASSERT_TRUE(fresh.compress(text(10'000, 3), 3, second));
  EXPECT_EQ(first, second);
}

TEST(Compress, refuses_what_is_not_worth_it) {
  Compressor compressor;
  Buffer out;
  for (std::size_t size : {0u, 1u, 10u, 1000u, 100'000u}) {
    EXPECT_FALSE(compressor.compress(noise(size, 4), 3, out)) << size;
  }
  // Just below and just above three per cent: noise and a run of zeros.
  Buffer data = noise(100'000, 5);
  std::fill_n(data.begin(), 2'900, std::uint8_t{0});
  EXPECT_FALSE(compressor.compress(data, 3, out));
  std::fill_n(data.begin(), 3'200, std::uint8_t{0});
  EXPECT_TRUE(compressor.compress(data, 3, out));
  EXPECT_LE(out.size(), 97'000u);
}

TEST(Decompress, wants_exactly_one_frame_of_exactly_that_size) {
  Compressor compressor;
  Decompressor decompressor;
  const Buffer data = text(10'000, 6);
  Buffer frame;
  ASSERT_TRUE(compressor.compress(data, 3, frame));
  expect_damaged(decompressor, frame, data.size() - 1);
  expect_damaged(decompressor, frame, data.size() + 1);
  expect_damaged(decompressor, frame, 0);
  expect_damaged(decompressor, {}, 0);
  for (std::size_t size = 0; size < frame.size(); ++size) {
    expect_damaged(decompressor, Bytes(frame).first(size), data.size());
  }
  Buffer longer = frame;
  longer.push_back(0);
  expect_damaged(decompressor, longer, data.size());
  Buffer twice = frame;
  append(twice, frame);
  expect_damaged(decompressor, twice, data.size() * 2);
  expect_damaged(decompressor, twice, data.size());
  Buffer followed = frame;  // by a skippable frame, which zstd alone would pass over
  append(followed, kSkippable);
  expect_damaged(decompressor, followed, data.size());
  EXPECT_EQ(opened(decompressor, frame, data.size()), data);
}

TEST(Decompress, refuses_foreign_frames) {
  Decompressor decompressor;
  expect_damaged(decompressor, kSkippable, 0);  // zstd alone takes it for empty content
  // A frame that does not tell its size.
  const Buffer data = text(1000, 7);
  Buffer frame(ZSTD_compressBound(data.size()));
  ZSTD_CCtx* const context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
  frame.resize(ZSTD_compress2(context, frame.data(), frame.size(), data.data(), data.size()));
  ZSTD_freeCCtx(context);
  expect_damaged(decompressor, frame, data.size());
}

TEST(Decompress, survives_every_flipped_bit_and_writes_no_more) {
  Compressor compressor;
  Decompressor decompressor;
  const Buffer data = text(2'000, 8);
  Buffer frame;
  ASSERT_TRUE(compressor.compress(data, 3, frame));
  Buffer out(data.size() + 64, 0xee);
  for (std::size_t bit = 0; bit < frame.size() * 8; ++bit) {
    frame[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
    const auto done = decompressor.decompress(frame, MutableBytes(out).first(data.size()));
    if (!done.ok()) {
      EXPECT_EQ(done.error().kind(), Errc::damaged);
    }
    frame[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
  }
  EXPECT_TRUE(std::all_of(out.end() - 64, out.end(), [](std::uint8_t byte) { return byte == 0xee; }));
  EXPECT_EQ(opened(decompressor, frame, data.size()), data);
}

}  // namespace
}  // namespace holdfast::compress
