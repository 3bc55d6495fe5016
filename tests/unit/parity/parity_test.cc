#include "parity/parity.h"

#include <gtest/gtest.h>
#include <isa-l/erasure_code.h>

#include <random>

#include "parity/checksum.h"

namespace holdfast::parity {
namespace {

// Carry-less product modulo 0x11d, bit by bit: what the format document says, without tables.
std::uint8_t multiply(std::uint8_t a, std::uint8_t b) {
  unsigned product = 0;
  for (int bit = 0; bit < 8; ++bit) {
    if ((b >> bit) & 1) product ^= static_cast<unsigned>(a) << bit;
  }
  for (int bit = 14; bit >= 8; --bit) {
    if ((product >> bit) & 1) product ^= 0x11du << (bit - 8);
  }
  return static_cast<std::uint8_t>(product);
}

std::uint8_t inverse(std::uint8_t a) {
  for (unsigned b = 1; b < 256; ++b) {
    if (multiply(a, static_cast<std::uint8_t>(b)) == 1) return static_cast<std::uint8_t>(b);
  }
  return 0;
}

struct Frames {
  std::vector<Buffer> all;  // data, then parity stripe by stripe
  std::uint32_t data_frames;
  Layout layout;

  Frames(std::uint32_t n, const Layout& to, std::size_t frame_bytes, std::uint64_t seed)
      : data_frames(n), layout(to) {
    std::mt19937_64 random(seed);
    all.assign(std::size_t{n} + to.parity_frames(), Buffer(frame_bytes, 0xee));
    for (std::uint32_t f = 0; f < n; ++f) {
      for (auto& byte : all[f]) byte = static_cast<std::uint8_t>(random());
    }
  }
  std::vector<Bytes> data() const { return {all.begin(), all.begin() + data_frames}; }
  std::vector<MutableBytes> parity() { return {all.begin() + data_frames, all.end()}; }
  std::vector<MutableBytes> views() { return {all.begin(), all.end()}; }
  Frames& encoded() {
    encode(data(), parity(), layout);
    return *this;
  }
};

// Parity by the definition alone.
std::vector<Buffer> reference_parity(const Frames& frames) {
  const std::size_t frame_bytes = frames.all[0].size();
  std::vector<Buffer> out(frames.layout.parity_frames(), Buffer(frame_bytes, 0));
  for (std::uint32_t f = 0; f < frames.data_frames; ++f) {
    const unsigned s = f % frames.layout.stripes;
    const unsigned d = f / frames.layout.stripes;
    for (unsigned p = 0; p < frames.layout.per_stripe; ++p) {
      const std::uint8_t factor = inverse(static_cast<std::uint8_t>((124 + p) ^ d));
      Buffer& sum = out[s * frames.layout.per_stripe + p];
      for (std::size_t i = 0; i < frame_bytes; ++i) sum[i] ^= multiply(factor, frames.all[f][i]);
    }
  }
  return out;
}

std::vector<Buffer> parity_of(const Frames& frames) {
  return {frames.all.begin() + frames.data_frames, frames.all.end()};
}

// Loses the frames, spoils what they hold, and repairs.
bool repaired(const Frames& good, const std::vector<std::size_t>& losses) {
  Frames frames = good;
  std::vector<bool> lost(frames.all.size());
  for (std::size_t i : losses) {
    lost[i] = true;
    std::fill(frames.all[i].begin(), frames.all[i].end(), std::uint8_t{0x5a});
  }
  const auto spoiled = frames.all;
  const auto done = repair(frames.views(), lost, frames.data_frames, frames.layout);
  EXPECT_EQ(frames.all, done.ok() ? good.all : spoiled);
  if (!done.ok()) {
    EXPECT_EQ(done.error().kind(), Errc::damaged);
  }
  return done.ok();
}

TEST(Field, isa_l_uses_the_documented_one) {
  for (unsigned a = 0; a < 256; ++a) {
    const auto byte = static_cast<std::uint8_t>(a);
    EXPECT_EQ(gf_inv(byte), inverse(byte));
    for (unsigned b = 0; b < 256; ++b) {
      ASSERT_EQ(gf_mul(byte, static_cast<std::uint8_t>(b)), multiply(byte, static_cast<std::uint8_t>(b)));
    }
  }
}

TEST(Field, coefficients) {
  for (unsigned p = 0; p < 4; ++p) {
    for (unsigned d = 0; d < 124; ++d) {
      EXPECT_EQ(coefficient(p, d), inverse(static_cast<std::uint8_t>((124 + p) ^ d)));
    }
  }
  EXPECT_EQ(coefficient(0, 0), 0x84);  // spelled out once, for readers of the format
}

TEST(Layout, smallest) {
  EXPECT_EQ(layout(1), (Layout{.stripes = 1, .per_stripe = 1}));
  EXPECT_EQ(layout(3), (Layout{.stripes = 1, .per_stripe = 3}));
  EXPECT_EQ(layout(124), (Layout{.stripes = 1, .per_stripe = 4}));
  EXPECT_EQ(layout(125), (Layout{.stripes = 2, .per_stripe = 4}));
  EXPECT_EQ(layout(1024), (Layout{.stripes = 9, .per_stripe = 4}));
  EXPECT_EQ(layout(UINT32_MAX).stripes, 34'636'834u);
}

TEST(Layout, fits) {
  EXPECT_TRUE(fits({.stripes = 2, .per_stripe = 4}, 248));
  EXPECT_FALSE(fits({.stripes = 2, .per_stripe = 4}, 249));
  EXPECT_TRUE(fits({.stripes = UINT32_MAX, .per_stripe = 1}, UINT32_MAX));
  EXPECT_FALSE(fits({.stripes = 0, .per_stripe = 4}, 0));
  EXPECT_FALSE(fits({.stripes = 1, .per_stripe = 0}, 1));
  EXPECT_FALSE(fits({.stripes = 1, .per_stripe = 5}, 1));
}

TEST(Encode, equals_the_definition) {
  for (std::uint32_t n : {1u, 2u, 5u, 123u, 124u, 125u, 300u}) {
    for (std::uint32_t m = 1; m <= 4; ++m) {
      for (std::size_t size : {1u, 15u, 64u, 100u, 4096u + 33u}) {
        if (size > 1000 && n > 10) continue;
        Frames frames(n, {.stripes = layout(n).stripes, .per_stripe = m}, size, n + m + size);
        EXPECT_EQ(parity_of(frames.encoded()), reference_parity(frames)) << n << ' ' << m << ' ' << size;
      }
    }
  }
}

TEST(Accumulator, equals_encode_at_every_length) {
  const Layout nine{.stripes = 3, .per_stripe = 4};
  const std::size_t size = 130;
  Accumulator sums(size, nine);
  const Frames source(3 * 124, nine, size, 1);
  for (std::uint32_t n = 1; n <= source.data_frames; ++n) {
    sums.add(source.all[n - 1]);
    if (n > 10 && n % 61 != 0 && n != source.data_frames) continue;
    Frames frames(n, nine, size, 1);
    frames.encoded();
    for (std::uint32_t s = 0; s < 3; ++s) {
      for (std::uint32_t p = 0; p < 4; ++p) {
        EXPECT_EQ(hex(sums.parity(s, p)), hex(frames.all[n + s * 4 + p])) << n;
      }
    }
  }
  sums.reset({.stripes = 1, .per_stripe = 2});
  EXPECT_EQ(sums.frames(), 0u);
  sums.add(source.all[0]);
  const Frames one = Frames(1, {.stripes = 1, .per_stripe = 2}, size, 1).encoded();
  EXPECT_EQ(hex(sums.parity(0, 1)), hex(one.all[2]));
}

// Every pattern of up to five losses in a small stripe.
TEST(Repair, every_pattern_of_a_small_stripe) {
  for (std::uint32_t n : {1u, 4u, 7u}) {
    for (std::uint32_t m = 1; m <= 4; ++m) {
      const Frames good = Frames(n, {.stripes = 1, .per_stripe = m}, 37, n).encoded();
      for (unsigned pattern = 0; pattern < 1u << (n + m); ++pattern) {
        std::vector<std::size_t> losses;
        for (std::size_t i = 0; i < n + m; ++i) {
          if ((pattern >> i) & 1) losses.push_back(i);
        }
        ASSERT_EQ(repaired(good, losses), losses.size() <= m) << n << ' ' << m << ' ' << pattern;
      }
    }
  }
}

TEST(Repair, random_losses_in_long_stripes) {
  std::mt19937_64 random(7);
  for (std::uint32_t n : {124u, 125u, 400u}) {
    Layout stored = layout(n);
    stored.stripes += n % 2;  // sometimes more stripes than needed
    const Frames good = Frames(n, stored, 200, n).encoded();
    for (int round = 0; round < 50; ++round) {
      std::vector<std::size_t> losses;
      std::vector<unsigned> lost_of(stored.stripes);
      for (int i = 0; i < 12; ++i) {
        const std::size_t f = random() % good.all.size();
        if (std::find(losses.begin(), losses.end(), f) != losses.end()) continue;
        losses.push_back(f);
        ++lost_of[f < n ? f % stored.stripes : (f - n) / stored.per_stripe];
      }
      const bool possible = *std::max_element(lost_of.begin(), lost_of.end()) <= stored.per_stripe;
      ASSERT_EQ(repaired(good, losses), possible);
    }
  }
}

TEST(Repair, a_burst_as_long_as_all_stripes_together) {
  const std::uint32_t n = 372;
  const Frames good = Frames(n, layout(n), 64, 3).encoded();
  std::vector<std::size_t> losses(12);
  for (std::size_t from = 0; from + 12 <= n; from += 31) {
    for (std::size_t i = 0; i < losses.size(); ++i) losses[i] = from + i;
    EXPECT_TRUE(repaired(good, losses));
  }
  losses = {0, 3, 6, 9, 12};
  EXPECT_FALSE(repaired(good, losses));
}

// The check value that catalogues of CRCs give for CRC-64/XZ, which is this one.
TEST(Checksum, IsTheKnownCrcAndGoesOn) {
  const std::string_view text = "123456789";
  EXPECT_EQ(checksum(as_bytes(text)), 0x995dc9bbdf1939faULL);
  EXPECT_EQ(checksum(as_bytes(text.substr(4)), checksum(as_bytes(text.substr(0, 4)))), 0x995dc9bbdf1939faULL);
  EXPECT_EQ(checksum({}), 0u);
}

}  // namespace
}  // namespace holdfast::parity
