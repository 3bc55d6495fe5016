// Opening: what a transaction's `open` says, and the session secret in it. docs/format/transactions.md,
// "open". Plain values; pure.
#pragma once

#include "repo/keys.h"

namespace holdfast::repo {

// Which keys a transaction was written under; the headers of its packs say the same.
struct KeyPlace {
  std::uint32_t domain = 0;
  std::uint32_t epoch = 0;  // of the read key
  bool operator==(const KeyPlace&) const = default;
};

struct Opening {
  model::TransactionId transaction;
  model::RunId run{};
  std::array<std::uint8_t, 16> nonce{};
  model::Time time;
  KeyPlace place;
  SealedSecret secret;
};

// The object's body, without its signature.
Buffer encode(const Opening& opening);
Result<Opening> decode_opening(Bytes body);

// Opens all packs of one transaction.
struct SessionKey {
  KeyPlace place;
  crypto::Key secret;
};

}  // namespace holdfast::repo
