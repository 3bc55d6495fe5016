#include "model/slots.h"

#include <bit>

namespace holdfast::model {

bool Slots::contains(const Slots& other) const {
  for (std::size_t i = 0; i < other.words_.size(); ++i) {
    const std::uint64_t mine = i < words_.size() ? words_[i] : 0;
    if ((other.words_[i] & ~mine) != 0) return false;
  }
  return true;
}

bool Slots::empty() const {
  for (std::uint64_t word : words_) {
    if (word != 0) return false;
  }
  return true;
}

std::uint32_t Slots::count() const {
  std::uint32_t n = 0;
  for (std::uint64_t word : words_) n += static_cast<std::uint32_t>(std::popcount(word));
  return n;
}

Slots Slots::first(std::uint32_t count) {
  Slots all;
  for (std::uint32_t slot = 0; slot < count; ++slot) all.insert(slot);
  return all;
}

void Slots::unite(const Slots& other) {
  if (words_.size() < other.words_.size()) words_.resize(other.words_.size());
  for (std::size_t i = 0; i < other.words_.size(); ++i) words_[i] |= other.words_[i];
}

void Slots::remove(const Slots& other) {
  const std::size_t both = std::min(words_.size(), other.words_.size());
  for (std::size_t i = 0; i < both; ++i) words_[i] &= ~other.words_[i];
}

bool Slots::intersects(const Slots& other) const {
  const std::size_t both = std::min(words_.size(), other.words_.size());
  for (std::size_t i = 0; i < both; ++i) {
    if ((words_[i] & other.words_[i]) != 0) return true;
  }
  return false;
}

void Slots::encode(Encoder& out) const {
  struct Run {
    std::uint32_t gap, length;
  };
  std::vector<Run> runs;
  const auto end = static_cast<std::uint32_t>(words_.size() * 64);
  std::uint32_t after_last = 0;
  for (std::uint32_t slot = 0; slot < end; ++slot) {
    if (!contains(slot)) continue;
    std::uint32_t stop = slot + 1;
    while (stop < end && contains(stop)) ++stop;
    runs.push_back({slot - after_last, stop - slot});
    after_last = stop;
    slot = stop;
  }
  out.varint(runs.size());
  for (const Run& run : runs) {
    out.varint(run.gap);
    out.varint(run.length);
  }
}

Slots Slots::decode(Decoder& in) {
  Slots slots;
  const std::uint64_t runs = in.count(2);
  std::uint64_t at = 0;
  for (std::uint64_t i = 0; i < runs && in.ok(); ++i) {
    const std::uint64_t gap = in.varint();
    const std::uint64_t length = in.varint();
    const bool sane = gap <= kSlotsMax && length <= kSlotsMax && at + gap + length <= kSlotsMax &&
                      length > 0 && (i == 0 || gap > 0);
    if (!in.ok() || !sane) {
      in.fail();
      break;
    }
    at += gap;
    for (std::uint64_t end = at + length; at < end; ++at) slots.insert(static_cast<std::uint32_t>(at));
  }
  return slots;
}

void unite(References& to, const References& more) {
  for (const auto& [pack, slots] : more) to[pack].unite(slots);
}

std::optional<Address> first_missing(const References& whole, const References& part) {
  for (const auto& [pack, slots] : part) {
    const auto found = whole.find(pack);
    const Slots& have = found == whole.end() ? Slots{} : found->second;
    if (have.contains(slots)) continue;
    std::uint32_t slot = 0;
    while (!slots.contains(slot) || have.contains(slot)) ++slot;
    return Address{pack, slot};
  }
  return std::nullopt;
}

void encode(Encoder& out, const TransactionId& id) {
  out.u64(id.writer);
  out.u32(id.sequence);
}

TransactionId decode_transaction(Decoder& in) {
  TransactionId id;
  id.writer = in.u64();
  id.sequence = in.u32();
  return id;
}

void encode(Encoder& out, const PackId& id) {
  encode(out, id.transaction);
  out.u32(id.pack);
}

PackId decode_pack(Decoder& in) {
  PackId id;
  id.transaction = decode_transaction(in);
  id.pack = in.u32();
  return id;
}

void encode(Encoder& out, const Address& address) {
  encode(out, address.pack);
  out.u32(address.slot);
}

Address decode_address(Decoder& in) {
  Address address;
  address.pack = decode_pack(in);
  address.slot = in.u32();
  if (address.slot >= kSlotsMax) in.fail();
  return address;
}

Buffer encode_page(References::const_iterator first, References::const_iterator last) {
  Encoder out;
  out.varint(static_cast<std::uint64_t>(std::distance(first, last)));
  for (auto at = first; at != last; ++at) {
    encode(out, at->first);
    at->second.encode(out);
  }
  return out.take();
}

Result<void> decode_page(Bytes page, References& to) {
  Decoder in(page);
  const std::uint64_t n = in.count(17);
  PackId last;
  for (std::uint64_t i = 0; i < n && in.ok(); ++i) {
    const PackId pack = decode_pack(in);
    if (i > 0 && !(last < pack)) in.fail();
    if (!in.ok()) break;
    to[pack].unite(Slots::decode(in));
    last = pack;
  }
  return in.finish("a reference page");
}

}  // namespace holdfast::model
