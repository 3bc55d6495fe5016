// Encoder and Decoder: the few encodings that the repository format is made of. Integers are
// little-endian; varint is LEB128 (7 bits a byte, least significant first, at most 10 bytes, and
// canonical: no superfluous zero bytes); a "string" is a varint length and its bytes. The Decoder
// never reads past its input: the first bad read makes it fail for good, values then are zero or
// empty, and finish() tells. Check ok() before using a decoded count as a size.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace holdfast {

class Encoder {
 public:
  void u8(std::uint8_t value) { out_.push_back(value); }
  void u16(std::uint16_t value) { little(value, 2); }
  void u32(std::uint32_t value) { little(value, 4); }
  void u64(std::uint64_t value) { little(value, 8); }
  void varint(std::uint64_t value) {
    while (value >= 0x80) {
      out_.push_back(static_cast<std::uint8_t>(value | 0x80));
      value >>= 7;
    }
    out_.push_back(static_cast<std::uint8_t>(value));
  }
  // Signed: zigzag, so that small magnitudes stay short.
  void svarint(std::int64_t value) {
    const auto bits = static_cast<std::uint64_t>(value);
    varint((bits << 1) ^ (value < 0 ? ~std::uint64_t{0} : 0));
  }
  void raw(Bytes bytes) { append(out_, bytes); }
  void string(std::string_view text) {
    varint(text.size());
    raw(as_bytes(text));
  }
  void blob(Bytes bytes) {
    varint(bytes.size());
    raw(bytes);
  }
  std::size_t size() const { return out_.size(); }
  Bytes bytes() const { return out_; }
  Buffer take() { return std::move(out_); }
  void clear() { out_.clear(); }

 private:
  void little(std::uint64_t value, int count) {
    for (int i = 0; i < count; ++i) out_.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  }
  Buffer out_;
};

class Decoder {
 public:
  explicit Decoder(Bytes in) : in_(in) {}

  std::uint8_t u8() { return static_cast<std::uint8_t>(little(1)); }
  std::uint16_t u16() { return static_cast<std::uint16_t>(little(2)); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(little(4)); }
  std::uint64_t u64() { return little(8); }
  std::uint64_t varint();
  // Fails beyond 32 bits, so that no value is silently cut.
  std::uint32_t varint32() {
    const std::uint64_t value = varint();
    if (value > 0xffffffffu) {
      fail();
      return 0;
    }
    return static_cast<std::uint32_t>(value);
  }
  std::int64_t svarint() {
    const std::uint64_t bits = varint();
    return static_cast<std::int64_t>((bits >> 1) ^ (~(bits & 1) + 1));
  }
  // Borrows `count` bytes of the input.
  Bytes raw(std::uint64_t count);
  Bytes blob() { return raw(varint()); }
  std::string_view string() { return as_text(blob()); }
  // A count of items of at least `item_bytes_min` (≥ 1) bytes each: fails where the rest of the
  // input could not hold them, so that a lying count never sizes an allocation.
  std::uint64_t count(std::uint64_t item_bytes_min);
  template <std::size_t N>
  std::array<std::uint8_t, N> array() {
    std::array<std::uint8_t, N> out{};
    const Bytes bytes = raw(N);
    if (bytes.size() == N) std::memcpy(out.data(), bytes.data(), N);
    return out;
  }

  bool ok() const { return ok_; }
  std::size_t left() const { return in_.size() - at_; }
  // Makes this decoder fail: the caller found a value that can't be.
  void fail() { ok_ = false; }
  // Success iff every read was good and, unless `rest_allowed`, nothing is left. `what` names the
  // object in the error (kind: damaged).
  Result<void> finish(std::string_view what, bool rest_allowed = false) const;

 private:
  std::uint64_t little(int count);
  Bytes in_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

}  // namespace holdfast
