// Encoder and Decoder: what goes in comes out, and nothing else decodes.
#include <limits>
#include <random>

#include <bit>

#include <gtest/gtest.h>

#include "base/codec.h"

namespace holdfast {

namespace {

std::vector<std::uint64_t> edges() {
  std::vector<std::uint64_t> out{0, ~std::uint64_t{0}};
  for (int bit = 0; bit < 64; ++bit) {
    const std::uint64_t power = std::uint64_t{1} << bit;
    out.insert(out.end(), {power - 1, power, power + 1});
  }
  return out;
}

Buffer varint(std::uint64_t value) {
  Encoder out;
  out.varint(value);
  return out.take();
}

bool decodes(Bytes bytes, std::uint64_t* value = nullptr) {
  Decoder in(bytes);
  const std::uint64_t got = in.varint();
  if (value != nullptr) *value = got;
  EXPECT_TRUE(in.ok() || got == 0);
  return in.finish("x").ok();
}

}  // namespace

TEST(Codec, VarintsAtEveryEdge) {
  for (const std::uint64_t value : edges()) {
    const Buffer bytes = varint(value);
    EXPECT_EQ(bytes.size(),
              static_cast<std::size_t>(std::max(1, (static_cast<int>(std::bit_width(value)) + 6) / 7)));
    std::uint64_t back = 0;
    EXPECT_TRUE(decodes(bytes, &back));
    EXPECT_EQ(back, value);
    for (std::size_t n = 0; n < bytes.size(); ++n) EXPECT_FALSE(decodes(Bytes(bytes).first(n))) << value;
  }
  EXPECT_EQ(varint(300), (Buffer{0xac, 0x02}));
}

TEST(Codec, SvarintsAtEveryEdge) {
  for (const std::uint64_t value : edges()) {
    const auto number = static_cast<std::int64_t>(value);
    Encoder out;
    out.svarint(number);
    Decoder in(out.bytes());
    EXPECT_EQ(in.svarint(), number);
    EXPECT_TRUE(in.finish("x").ok());
  }
  Encoder out;
  for (const std::int64_t n : {0, -1, 1, -2, 63, -64}) out.svarint(n);
  EXPECT_EQ(Buffer(out.bytes().begin(), out.bytes().end()), (Buffer{0, 1, 2, 3, 126, 127}));
}

TEST(Codec, AVarintHasOneEncodingOnly) {
  for (const std::uint64_t value : edges()) {
    for (std::size_t zeros = 1; zeros < 4; ++zeros) {
      Buffer bytes = varint(value);
      bytes.back() |= 0x80;
      bytes.insert(bytes.end(), zeros - 1, 0x80);
      bytes.push_back(0);
      EXPECT_FALSE(decodes(bytes)) << value;
    }
  }
}

TEST(Codec, VarintsBeyond64BitsAreRefused) {
  Buffer nine(9, 0xff);
  for (int last = 0; last < 256; ++last) {
    Buffer bytes = nine;
    bytes.push_back(static_cast<std::uint8_t>(last));
    EXPECT_EQ(decodes(bytes), last == 1) << last;
    bytes.push_back(1);
    EXPECT_FALSE(decodes(bytes)) << last;
  }
  EXPECT_FALSE(decodes(Buffer(1000, 0xff)));
  EXPECT_FALSE(decodes(Buffer(1000, 0x80)));
}

TEST(Codec, EveryKindRoundTripsAndFailsCutAnywhere) {
  Encoder out;
  out.u8(0xab);
  out.u16(0x1234);
  out.u32(0x89abcdef);
  out.u64(0x0123456789abcdef);
  out.string("text");
  out.blob(Buffer{9, 8, 7});
  out.string("");
  out.raw(Buffer{1, 2, 3, 4});
  out.svarint(-1000);
  const Buffer bytes = out.take();
  EXPECT_EQ((Buffer(bytes.begin() + 1, bytes.begin() + 7)), (Buffer{0x34, 0x12, 0xef, 0xcd, 0xab, 0x89}));
  for (std::size_t n = 0; n <= bytes.size(); ++n) {
    Decoder in(Bytes(bytes).first(n));
    const auto a = in.u8();
    const auto b = in.u16();
    const auto c = in.u32();
    const auto d = in.u64();
    const std::string text(in.string());
    const Bytes blob = in.blob();
    const std::string empty(in.string());
    const auto four = in.array<4>();
    const auto e = in.svarint();
    EXPECT_EQ(in.ok(), n == bytes.size());
    const auto finished = in.finish("a thing");
    ASSERT_EQ(finished.ok(), n == bytes.size()) << n;
    if (!finished.ok()) {
      EXPECT_EQ(finished.error().kind(), Errc::damaged);
      EXPECT_EQ(finished.error().text(), "a thing can't be decoded");
      EXPECT_EQ(e, 0);
      continue;
    }
    EXPECT_EQ(a, 0xab);
    EXPECT_EQ(b, 0x1234);
    EXPECT_EQ(c, 0x89abcdefu);
    EXPECT_EQ(d, 0x0123456789abcdefu);
    EXPECT_EQ(text, "text");
    EXPECT_EQ(Buffer(blob.begin(), blob.end()), (Buffer{9, 8, 7}));
    EXPECT_EQ(empty, "");
    EXPECT_EQ(four, (std::array<std::uint8_t, 4>{1, 2, 3, 4}));
    EXPECT_EQ(e, -1000);
  }
}

TEST(Codec, AfterABadReadNothingIsReadAnyMore) {
  const Buffer bytes{5, 1, 2, 3};
  Decoder in(bytes);
  EXPECT_TRUE(in.blob().empty());  // says five, has three
  EXPECT_FALSE(in.ok());
  EXPECT_EQ(in.u8(), 0);
  EXPECT_EQ(in.varint(), 0u);
  EXPECT_EQ(in.count(1), 0u);
  EXPECT_EQ(in.array<1>()[0], 0);
  EXPECT_FALSE(in.finish("x", true).ok());
}

TEST(Codec, WhatIsLeftOverIsAnErrorUnlessAllowed) {
  const Buffer bytes{1, 2};
  Decoder in(bytes);
  in.u8();
  EXPECT_EQ(in.left(), 1u);
  const auto finished = in.finish("a thing");
  ASSERT_FALSE(finished.ok());
  EXPECT_EQ(finished.error().text(), "a thing has bytes after its end");
  EXPECT_TRUE(in.finish("a thing", true).ok());
  in.fail();
  EXPECT_FALSE(in.finish("a thing", true).ok());
}

TEST(Codec, ACountThatTheRestCannotHoldIsRefused) {
  for (std::uint64_t n = 0; n < 12; ++n) {
    for (std::uint64_t each = 1; each < 5; ++each) {
      Encoder out;
      out.varint(n);
      out.raw(Buffer(10));
      Decoder in(out.bytes());
      const std::uint64_t got = in.count(each);
      EXPECT_EQ(in.ok(), n * each <= 10) << n << " of " << each;
      EXPECT_EQ(got, in.ok() ? n : 0);
    }
  }
  for (const std::uint64_t huge : {~std::uint64_t{0}, std::uint64_t{1} << 63, std::uint64_t{1} << 61}) {
    Encoder out;
    out.varint(huge);
    out.raw(Buffer(10));
    Decoder counted(out.bytes());
    EXPECT_EQ(counted.count(8), 0u);
    EXPECT_FALSE(counted.ok());
    Decoder blob(out.bytes());
    EXPECT_TRUE(blob.blob().empty());
    EXPECT_FALSE(blob.ok());
  }
}

TEST(Codec, NoiseNeverReadsBeyondTheEnd) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 20'000; ++round) {
    // Exactly sized on the heap, so that a sanitizer sees a read past the end.
    const Buffer bytes = [&] {
      Buffer out(random() % 24);
      for (auto& b : out) b = static_cast<std::uint8_t>(random());
      return out;
    }();
    Decoder in(bytes);
    for (int i = 0; i < 8; ++i) {
      switch (random() % 6) {
        case 0:
          in.u64();
          break;
        case 1:
          in.varint();
          break;
        case 2:
          in.string();
          break;
        case 3:
          in.count(1 + random() % 3);
          break;
        case 4:
          in.array<3>();
          break;
        default:
          in.svarint();
      }
      ASSERT_LE(in.left(), bytes.size());
    }
  }
}

}  // namespace holdfast
