#include <gtest/gtest.h>

#include <random>

#include "compress/compress.h"

namespace holdfast::compress {
namespace {

Buffer noise(std::size_t size, unsigned seed) {
  std::mt19937_64 random(seed);
  Buffer out(size);
  for (auto& byte : out) byte = static_cast<std::uint8_t>(random());
  return out;
}

Buffer base64(Bytes data) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  Buffer out;
  for (std::uint8_t byte : data) out.push_back(static_cast<std::uint8_t>(kDigits[byte & 63]));
  return out;
}

// Numbered log lines with fields that vary: compresses about four times.
Buffer log_lines(std::size_t size, unsigned seed) {
  std::mt19937_64 random(seed);
  Buffer out;
  for (unsigned line = 0; out.size() < size; ++line) {
    append(out, as_bytes(fmt::format("2026-01-{:02} line {} took {} ms, id {:x}\n", line % 28 + 1, line,
                                     random() % 1000, random() % 65536)));
  }
  out.resize(size);
  return out;
}

// As entropy-coded JPEG data: noise in which a zero follows each 0xff (ITU T.81 §B.1.1.5), after a header.
Buffer jpeg_like(std::size_t size, unsigned seed) {
  Buffer out(600, 0);
  for (std::uint8_t byte : noise(size, seed)) {
    out.push_back(byte);
    if (byte == 0xff) out.push_back(0);
  }
  return out;
}

TEST(LooksIncompressible, noise_of_any_size_from_one_sample) {
  for (std::size_t size : {4096u, 5000u, 8192u, 16'384u, 16'385u, 65'536u, 1'048'576u, 4'194'304u}) {
    for (unsigned seed = 0; seed < 50; ++seed) {
      if (size > 100'000 && seed > 3) break;
      EXPECT_TRUE(looks_incompressible(noise(size, seed))) << size;
    }
  }
}

TEST(LooksIncompressible, too_little_to_judge) {
  EXPECT_FALSE(looks_incompressible({}));
  EXPECT_FALSE(looks_incompressible(noise(4095, 1)));
}

TEST(LooksIncompressible, already_compressed) {
  for (unsigned seed = 0; seed < 5; ++seed) {
    Compressor compressor;
    Buffer frame;
    ASSERT_TRUE(compressor.compress(log_lines(1'000'000, seed), 3, frame));
    EXPECT_TRUE(looks_incompressible(frame)) << seed;
    EXPECT_TRUE(looks_incompressible(jpeg_like(200'000, seed))) << seed;
  }
}

TEST(LooksIncompressible, what_compresses_is_tried) {
  EXPECT_FALSE(looks_incompressible(Buffer(1'000'000, 0)));
  EXPECT_FALSE(looks_incompressible(base64(noise(1'000'000, 1))));
  EXPECT_FALSE(looks_incompressible(log_lines(1'000'000, 1)));
  Buffer seven_bits = noise(1'000'000, 2);
  for (auto& byte : seven_bits) byte &= 0x7f;
  EXPECT_FALSE(looks_incompressible(seven_bits));
}

TEST(LooksIncompressible, one_plain_quarter_is_enough) {
  for (std::size_t quarter = 0; quarter < 4; ++quarter) {
    Buffer data = noise(400'000, 3);
    const auto from = data.begin() + static_cast<std::ptrdiff_t>(quarter * 100'000);
    std::fill(from, from + 100'000, std::uint8_t{'x'});
    EXPECT_FALSE(looks_incompressible(data)) << quarter;
  }
}

}  // namespace
}  // namespace holdfast::compress
