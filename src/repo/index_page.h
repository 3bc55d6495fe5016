// The 4 KiB pages of an index segment. A page holds entries in ascending order of their keys: first all
// keys, then all values, each value in as many bytes as the largest one of the segment needs. Pure.
#pragma once

#include <array>
#include <compare>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "base/codec.h"
#include "crypto/aead.h"

namespace holdfast::repo {

inline constexpr std::size_t kPageBytes = 4096;
inline constexpr std::size_t kPagePlainBytes = kPageBytes - crypto::kTagBytes;

// The two halves of a 16-byte key as big-endian numbers, so that they order as the bytes do.
struct KeyHalves {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  auto operator<=>(const KeyHalves&) const = default;
};
KeyHalves load_key(const std::uint8_t* bytes);
void store_key(const KeyHalves& key, std::uint8_t* bytes);

// An index record inside a segment.
struct IndexEntry {
  enum Value { kTransaction, kPack, kSlot, kOffset, kLength, kValues };
  KeyHalves key;
  std::array<std::uint32_t, kValues> values{};  // kTransaction: an ordinal in the segment's table
  std::uint32_t age = 0;                        // of two with one key the larger is newer; not stored
};

// Bytes taken by each value.
struct ValueWidths {
  std::array<std::uint8_t, IndexEntry::kValues> bytes{};
  void cover(const IndexEntry& entry);
  void cover(const ValueWidths& other);
  std::size_t entry_bytes() const;
  // Entries that a page holds.
  std::size_t page_entries() const;
};

// Writes a page of kPagePlainBytes. `spills`: entries that belong here stand on the next page.
void encode_page(const ValueWidths& widths, std::span<const IndexEntry> entries, bool spills,
                 MutableBytes out);

// Borrows the plain bytes of a page. They were authenticated, yet no content makes it read outside of them.
class PageView {
 public:
  PageView(const ValueWidths& widths, Bytes plain);
  std::size_t count() const { return count_; }
  bool spills() const { return spills_; }
  KeyHalves key(std::size_t i) const;
  IndexEntry entry(std::size_t i) const;
  // Index of the first entry whose key is not less than `key`; count() where there is none.
  std::size_t lower_bound(const KeyHalves& key) const;

 private:
  const ValueWidths* widths_;
  Bytes plain_;
  std::size_t count_;
  bool spills_;
};

}  // namespace holdfast::repo
