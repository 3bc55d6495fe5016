// Ed25519 signatures (RFC 8032) and sealing to an X25519 key (RFC 7748), through OpenSSL.
#pragma once

#include "base/result.h"
#include "crypto/secret.h"

namespace holdfast::crypto {

using PublicKey = std::array<std::uint8_t, 32>;
using Signature = std::array<std::uint8_t, 64>;

// `seed` is the 32-byte private key of RFC 8032.
PublicKey sign_public(const Key& seed);
Signature sign(const Key& seed, Bytes message);
[[nodiscard]] bool verify(const PublicKey& key, Bytes message, const Signature& signature);

PublicKey x25519_public(const Key& secret);
// The raw shared secret; Errc::damaged where it is all zero (a low-order public key).
Result<Key> x25519(const Key& secret, const PublicKey& peer);

}  // namespace holdfast::crypto
