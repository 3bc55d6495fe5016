// Slots: a set of slots of one pack. References: for every pack, the slots that a snapshot needs; complete in
// every commit, kept in pages so that unchanged ones are shared between commits. docs/format/transactions.md,
// "refs". Plain values; thread-safe where const.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "base/codec.h"
#include "model/address.h"

namespace holdfast::model {

// Of a pack.
inline constexpr std::uint32_t kSlotsMax = 65536;

class Slots {
 public:
  // Those below `count`.
  static Slots first(std::uint32_t count);
  void insert(std::uint32_t slot) {
    const std::size_t word = slot / 64;
    if (word >= words_.size()) words_.resize(word + 1);
    words_[word] |= std::uint64_t{1} << (slot % 64);
  }
  bool contains(std::uint32_t slot) const {
    const std::size_t word = slot / 64;
    return word < words_.size() && (words_[word] >> (slot % 64) & 1) != 0;
  }
  bool contains(const Slots& other) const;
  bool empty() const;
  std::uint32_t count() const;
  void unite(const Slots& other);
  void remove(const Slots& other);
  bool intersects(const Slots& other) const;
  bool operator==(const Slots& other) const { return contains(other) && other.contains(*this); }

  void encode(Encoder& out) const;
  // Refuses slots that no pack has: beyond kSlotsMax a few bytes could ask for megabytes.
  static Slots decode(Decoder& in);

 private:
  std::vector<std::uint64_t> words_;
};

// std::map, so that packs come in the order of the format.
using References = std::map<PackId, Slots>;

inline void insert(References& set, const Address& address) { set[address.pack].insert(address.slot); }
void unite(References& to, const References& more);
// The first address of `part` that `whole` lacks, as {pack, slot}; nothing where whole ⊇ part.
std::optional<Address> first_missing(const References& whole, const References& part);

void encode(Encoder& out, const TransactionId& id);
TransactionId decode_transaction(Decoder& in);
void encode(Encoder& out, const PackId& id);
PackId decode_pack(Decoder& in);
void encode(Encoder& out, const Address& address);
Address decode_address(Decoder& in);

// True where a reference page ends after this pack, given the first byte of BLAKE3 of its encoding.
inline bool page_ends(std::uint8_t first_hash_byte) { return first_hash_byte == 0; }
inline constexpr std::size_t kPagePacksMax = 4096;

// One page: the packs of [first, last), in order.
Buffer encode_page(References::const_iterator first, References::const_iterator last);
// Adds the page's packs to `to`. Errc::damaged.
Result<void> decode_page(Bytes page, References& to);

}  // namespace holdfast::model
