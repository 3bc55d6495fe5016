// Names of things in a repository. A chunk's address never changes and is never reused.
#pragma once

#include <compare>
#include <cstdint>

namespace holdfast::model {

// One transaction: the writer that made it and its place in that writer's sequence.
struct TransactionId {
  std::uint64_t writer = 0;  // random, chosen once per writing installation
  std::uint32_t sequence = 0;
  auto operator<=>(const TransactionId&) const = default;
};

struct PackId {
  TransactionId transaction;
  std::uint32_t pack = 0;
  auto operator<=>(const PackId&) const = default;
};

// Where a chunk is: a slot of a pack of a transaction.
struct Address {
  PackId pack;
  std::uint32_t slot = 0;
  auto operator<=>(const Address&) const = default;
};

}  // namespace holdfast::model
