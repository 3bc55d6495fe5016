// SHA-256 (FIPS 180-4) and HMAC (RFC 2104) of it, for the protocols of others; our own format hashes with
// BLAKE3. Nothing here fails. Pure; thread-safe but for one Sha256, which belongs to one thread.
#pragma once

#include <memory>

#include "base/bytes.h"

namespace holdfast::crypto {

Hash sha256(Bytes data);
Hash hmac_sha256(Bytes key, Bytes data);

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  void update(Bytes data);
  Hash finish();  // once

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::crypto
