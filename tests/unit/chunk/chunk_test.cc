#include "chunk/chunk.h"

#include <gtest/gtest.h>

#include <bit>
#include <random>

namespace holdfast::chunk {
namespace {

Buffer noise(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Buffer out(size);
  for (auto& byte : out) byte = static_cast<std::uint8_t>(random());
  return out;
}

GearTable table_of(std::uint64_t seed) { return gear_table(noise(2048, seed)); }

// The header's definition, word for word.
std::size_t reference_length(const GearTable& table, const Limits& limits, Bytes data) {
  const int a = std::countr_zero(limits.size_average);
  for (std::size_t p = limits.size_min; p < limits.size_max && p <= data.size(); ++p) {
    std::uint64_t h = 0;
    for (std::size_t j = 0; j < std::min<std::size_t>(p, 64); ++j) h += table[data[p - 1 - j]] << j;
    const int b = p < limits.size_average ? a + 2 : a - 2;
    if (h >> (64 - b) == 0) return p;
  }
  return std::min<std::size_t>(data.size(), limits.size_max);
}

std::vector<std::size_t> reference_cuts(const GearTable& table, const Limits& limits, Bytes data) {
  std::vector<std::size_t> out;
  while (!data.empty()) {
    out.push_back(reference_length(table, limits, data));
    data = data.subspan(out.back());
  }
  return out;
}

std::vector<std::size_t> cuts(const GearTable& table, const Limits& limits, Bytes data) {
  std::vector<std::size_t> out;
  while (!data.empty()) {
    out.push_back(cut(table, limits, data, true));
    EXPECT_GT(out.back(), 0u);
    if (out.back() == 0) break;
    data = data.subspan(out.back());
  }
  return out;
}

// As a reader would: the window grows by pieces of random size until cut() is content.
std::vector<std::size_t> windowed_cuts(const GearTable& table, const Limits& limits, Bytes data,
                                       std::mt19937_64& random) {
  std::vector<std::size_t> out;
  std::size_t window = 0;
  while (!data.empty()) {
    window = std::min(window, data.size());
    const std::size_t length = cut(table, limits, data.first(window), window == data.size());
    if (length == 0) {
      EXPECT_LT(window, limits.size_max);
      EXPECT_LT(window, data.size());
      window += std::min<std::size_t>(random() % 100 + 1, data.size() - window);
      continue;
    }
    out.push_back(length);
    data = data.subspan(length);
    window -= length;
  }
  return out;
}

const Limits kSmall[] = {
    {.size_min = 16, .size_average = 64, .size_max = 256},
    {.size_min = 1, .size_average = 8, .size_max = 8},
    {.size_min = 64, .size_average = 64, .size_max = 64},
    {.size_min = 100, .size_average = 1024, .size_max = 5000},
    // Long enough for the lanes, with hits in each of them.
    {.size_min = 512, .size_average = 16384, .size_max = 65536},
    {.size_min = 40, .size_average = 65536, .size_max = 200'000},
};

// Noise, runs, repeats, few symbols, counters: what rolling hashes get wrong.
std::vector<Buffer> inputs(std::size_t size) {
  std::vector<Buffer> out = {noise(size, 1), Buffer(size, 0), Buffer(size, 0xff)};
  Buffer two = noise(size, 2);
  for (auto& byte : two) byte &= 1;
  out.push_back(two);
  Buffer repeated;
  while (repeated.size() < size) append(repeated, noise(97, 3));
  repeated.resize(size);
  out.push_back(repeated);
  Buffer counter(size);
  for (std::size_t i = 0; i < size; ++i) counter[i] = static_cast<std::uint8_t>(i / 4 >> (8 * (i % 4)));
  out.push_back(counter);
  Buffer holes = noise(size, 4);
  std::fill(holes.begin() + static_cast<std::ptrdiff_t>(size / 3),
            holes.begin() + static_cast<std::ptrdiff_t>(size / 2), std::uint8_t{0});
  out.push_back(holes);
  return out;
}

TEST(GearTable, little_endian_words) {
  Buffer secret(2048);
  for (std::size_t i = 0; i < secret.size(); ++i) secret[i] = static_cast<std::uint8_t>(i * 7 + i / 256);
  const GearTable table = gear_table(secret);
  EXPECT_EQ(table[0], 0x312a231c150e0700u);
  for (std::size_t i = 0; i < 2048; ++i) EXPECT_EQ((table[i / 8] >> (8 * (i % 8))) & 0xff, secret[i]);
}

TEST(Cut, equals_the_definition) {
  for (const Limits& limits : kSmall) {
    const std::size_t size = limits.size_max > 10'000 ? 250'000 : 30'000;
    for (std::uint64_t key = 0; key < 2; ++key) {
      const GearTable table = table_of(key);
      for (const Buffer& data : inputs(size)) {
        ASSERT_EQ(cuts(table, limits, data), reference_cuts(table, limits, data)) << limits.size_min;
      }
    }
  }
}

TEST(Cut, equals_the_definition_at_every_short_length) {
  const GearTable table = table_of(9);
  const Buffer data = noise(700, 5);
  for (const Limits& limits : kSmall) {
    for (std::size_t from = 0; from < 64; from += 7) {
      for (std::size_t size = 1; size + from <= 600; ++size) {
        const Bytes window = Bytes(data).subspan(from, size);
        const std::size_t expected = reference_length(table, limits, window);
        ASSERT_EQ(cut(table, limits, window, true), expected);
        // Without `last` either the same or, where more could lengthen it, nothing yet.
        const std::size_t open = cut(table, limits, window, false);
        ASSERT_EQ(open, reference_length(table, limits, Bytes(data).subspan(from)) <= size ? expected : 0);
      }
    }
  }
}

TEST(Cut, windows_do_not_matter) {
  std::mt19937_64 random(11);
  for (const Limits& limits : kSmall) {
    if (limits.size_max > 10'000) continue;
    for (const Buffer& data : inputs(20'000)) {
      const GearTable table = table_of(random());
      ASSERT_EQ(windowed_cuts(table, limits, data, random), cuts(table, limits, data));
    }
  }
}

TEST(Cut, nothing_gives_nothing) {
  EXPECT_EQ(cut(table_of(1), Limits{}, {}, true), 0u);
  EXPECT_EQ(cut(table_of(1), Limits{}, {}, false), 0u);
}

TEST(Cut, the_key_decides) {
  const Buffer data = noise(100'000, 6);
  EXPECT_NE(cuts(table_of(1), kSmall[0], data), cuts(table_of(2), kSmall[0], data));
}

// After bytes are put in near the beginning, the cuts fall back into step.
TEST(Cut, resynchronises) {
  const Limits limits{.size_min = 256, .size_average = 1024, .size_max = 4096};
  const GearTable table = table_of(3);
  const Buffer data = noise(1'000'000, 7);
  Buffer shifted = noise(13, 8);
  append(shifted, data);
  const auto ends = [&](Bytes bytes, std::size_t offset) {
    std::set<std::size_t> out;
    std::size_t at = 0;
    for (std::size_t length : cuts(table, limits, bytes)) out.insert((at += length) - offset);
    return out;
  };
  const auto before = ends(data, 0);
  const auto after = ends(shifted, 13);
  std::size_t common = 0;
  for (std::size_t end : before) common += after.count(end);
  EXPECT_GT(common + 20, before.size());
}

TEST(Cut, default_limits_and_mean_size) {
  const GearTable table = table_of(4);
  const Buffer data = noise(64 * kMiB, 9);
  const auto lengths = cuts(table, Limits{}, data);
  for (std::size_t i = 0; i + 1 < lengths.size(); ++i) {
    EXPECT_GE(lengths[i], Limits{}.size_min);
    EXPECT_LE(lengths[i], Limits{}.size_max);
  }
  EXPECT_GT(lengths.size(), 64u * 3 / 4);
  EXPECT_LT(lengths.size(), 64u * 5 / 4);
}

}  // namespace
}  // namespace holdfast::chunk
