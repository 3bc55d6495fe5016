// Keys from passwords (Argon2id, RFC 9106, libsodium, one lane) and HKDF-SHA256 (RFC 5869).
#pragma once

#include "base/result.h"
#include "crypto/secret.h"

namespace holdfast::crypto {

struct Argon2Cost {
  std::uint32_t passes = 3;
  std::uint32_t memory_kib = 64 * 1024;
};

// Errc::unsupported where the cost is outside libsodium's limits or above 4 GiB or 64 passes (a hostile
// key slot must not exhaust the machine); Errc::failed where the memory can't be had.
Result<Key> argon2id(Bytes password, const std::array<std::uint8_t, 16>& salt, Argon2Cost cost);

// Extract and expand. Errc::unsupported where `length` is above 255 × 32 or `key` is empty.
Result<Buffer> hkdf_sha256(Bytes key, Bytes salt, Bytes info, std::size_t length);

}  // namespace holdfast::crypto
