// The tables at the head of a block as it is encoded: what its entries refer to by index. Private to
// block.cc; plain values, which borrow the attributes of the entries.
#pragma once

#include <unordered_map>
#include <vector>

#include "model/entry.h"

namespace holdfast::model {

struct AddressHash {
  std::size_t operator()(const Address& a) const {
    std::uint64_t h = a.pack.transaction.writer ^ (std::uint64_t{a.pack.transaction.sequence} << 32);
    h = (h ^ (std::uint64_t{a.pack.pack} << 24) ^ a.slot) * 0x9e3779b97f4a7c15u;
    return static_cast<std::size_t>(h ^ (h >> 29));
  }
};

struct Tables {
  std::vector<TransactionId> transactions;
  struct Chunk {
    std::uint32_t transaction;
    Address address;
    ShortId id;
  };
  std::vector<Chunk> chunks;
  std::vector<const Attributes*> attributes;
  std::unordered_map<Address, std::uint32_t, AddressHash> chunk_index;

  std::uint32_t transaction(const TransactionId& id) {
    for (std::size_t i = transactions.size(); i-- > 0;) {
      if (transactions[i] == id) return static_cast<std::uint32_t>(i);
    }
    transactions.push_back(id);
    return static_cast<std::uint32_t>(transactions.size() - 1);
  }

  std::uint32_t chunk(const Extent& extent) {
    if (!chunks.empty() && chunks.back().address == extent.chunk) {
      return static_cast<std::uint32_t>(chunks.size() - 1);
    }
    const auto [at, added] = chunk_index.try_emplace(extent.chunk, static_cast<std::uint32_t>(chunks.size()));
    if (added) chunks.push_back({transaction(extent.chunk.pack.transaction), extent.chunk, extent.id});
    return at->second;
  }

  std::uint32_t attribute(const Attributes& value, std::uint32_t hint) {
    if (hint < attributes.size() && *attributes[hint] == value) return hint;
    for (std::size_t i = 0; i < attributes.size(); ++i) {
      if (*attributes[i] == value) return static_cast<std::uint32_t>(i);
    }
    attributes.push_back(&value);
    return static_cast<std::uint32_t>(attributes.size() - 1);
  }
};

}  // namespace holdfast::model
