#include "repo/index_page.h"

#include <algorithm>
#include <bit>

namespace holdfast::repo {

namespace {

constexpr std::size_t kHeadBytes = 4;  // u16 count, u8 spills, u8 zero
constexpr std::size_t kKeyBytes = 16;

std::uint64_t load_big_endian(const std::uint8_t* bytes) {
  std::uint64_t value;
  std::memcpy(&value, bytes, sizeof value);
  return std::endian::native == std::endian::little ? __builtin_bswap64(value) : value;
}

void store_big_endian(std::uint64_t value, std::uint8_t* bytes) {
  if (std::endian::native == std::endian::little) value = __builtin_bswap64(value);
  std::memcpy(bytes, &value, sizeof value);
}

std::uint8_t bytes_for(std::uint32_t value) {
  return static_cast<std::uint8_t>((static_cast<unsigned>(std::bit_width(value)) + 7) / 8);
}

}  // namespace

KeyHalves load_key(const std::uint8_t* bytes) { return {load_big_endian(bytes), load_big_endian(bytes + 8)}; }

void store_key(const KeyHalves& key, std::uint8_t* bytes) {
  store_big_endian(key.high, bytes);
  store_big_endian(key.low, bytes + 8);
}

void ValueWidths::cover(const IndexEntry& entry) {
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = std::max(bytes[i], bytes_for(entry.values[i]));
}

void ValueWidths::cover(const ValueWidths& other) {
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = std::max(bytes[i], other.bytes[i]);
}

std::size_t ValueWidths::entry_bytes() const {
  std::size_t sum = kKeyBytes;
  for (const std::uint8_t width : bytes) sum += width;
  return sum;
}

std::size_t ValueWidths::page_entries() const { return (kPagePlainBytes - kHeadBytes) / entry_bytes(); }

void encode_page(const ValueWidths& widths, std::span<const IndexEntry> entries, bool spills,
                 MutableBytes out) {
  HF_ASSERT(out.size() == kPagePlainBytes && entries.size() <= widths.page_entries());
  std::fill(out.begin(), out.end(), std::uint8_t{0});
  out[0] = static_cast<std::uint8_t>(entries.size());
  out[1] = static_cast<std::uint8_t>(entries.size() >> 8);
  out[2] = spills ? 1 : 0;
  std::uint8_t* key = out.data() + kHeadBytes;
  std::uint8_t* value = key + entries.size() * kKeyBytes;
  for (const IndexEntry& entry : entries) {
    store_key(entry.key, key);
    key += kKeyBytes;
    for (std::size_t i = 0; i < entry.values.size(); ++i) {
      for (unsigned byte = 0; byte < widths.bytes[i]; ++byte) {
        *value++ = static_cast<std::uint8_t>(entry.values[i] >> (8 * byte));
      }
    }
  }
}

PageView::PageView(const ValueWidths& widths, Bytes plain)
    : widths_(&widths),
      plain_(plain),
      count_(std::min(plain[0] + std::size_t{plain[1]} * 256, widths.page_entries())),
      spills_(plain[2] != 0) {
  HF_ASSERT(plain.size() == kPagePlainBytes);
}

KeyHalves PageView::key(std::size_t i) const { return load_key(plain_.data() + kHeadBytes + i * kKeyBytes); }

IndexEntry PageView::entry(std::size_t i) const {
  IndexEntry entry{key(i), {}, 0};
  const std::size_t values_at = kHeadBytes + count_ * kKeyBytes + i * (widths_->entry_bytes() - kKeyBytes);
  const std::uint8_t* value = plain_.data() + values_at;
  for (std::size_t v = 0; v < entry.values.size(); ++v) {
    for (unsigned byte = 0; byte < widths_->bytes[v]; ++byte) {
      entry.values[v] |= std::uint32_t{*value++} << (8 * byte);
    }
  }
  return entry;
}

std::size_t PageView::lower_bound(const KeyHalves& wanted) const {
  std::size_t first = 0;
  std::size_t left = count_;
  while (left > 0) {
    const std::size_t half = left / 2;
    if (key(first + half) < wanted) {
      first += half + 1;
      left -= half + 1;
    } else {
      left = half;
    }
  }
  return first;
}

}  // namespace holdfast::repo
