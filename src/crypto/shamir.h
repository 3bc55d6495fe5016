// Secrets split so that any `threshold` of the shares restore them and fewer tell nothing (A. Shamir, "How to
// share a secret", 1979), byte by byte over GF(2^8) with the polynomial of AES (FIPS 197, 4.2). Nothing here
// looks anything up by secret values. Pure; thread-safe.
#pragma once

#include <vector>

#include "base/bytes.h"
#include "base/random.h"

namespace holdfast::crypto {

struct Share {
  std::uint8_t number = 0;  // from 1
  Buffer bytes;             // as many as the secret has
};

// 1 ≤ threshold ≤ count ≤ 255 (asserted).
std::vector<Share> split(Bytes secret, unsigned threshold, unsigned count, Random& random);
// Of at least `threshold` shares with different numbers and equal sizes (asserted). Fewer, or shares of
// different secrets, give noise: the caller must know what to expect.
Buffer combine(const std::vector<Share>& shares);

std::uint8_t multiply(std::uint8_t a, std::uint8_t b);
std::uint8_t inverse(std::uint8_t a);  // 0 for 0

}  // namespace holdfast::crypto
