#include "crypto/shamir.h"

#include "base/check.h"
#include "crypto/secret.h"

namespace holdfast::crypto {

std::uint8_t multiply(std::uint8_t a, std::uint8_t b) {
  unsigned product = 0, shifted = a;
  for (unsigned bit = 0; bit < 8; ++bit) {
    product ^= shifted & (0u - (b >> bit & 1u));
    shifted = shifted << 1 ^ (0x11bu & (0u - (shifted >> 7)));
  }
  return static_cast<std::uint8_t>(product);
}

// a^254.
std::uint8_t inverse(std::uint8_t a) {
  std::uint8_t power = a, out = 1;
  for (unsigned bit = 1; bit < 8; ++bit) {
    power = multiply(power, power);
    out = multiply(out, power);
  }
  return out;
}

std::vector<Share> split(Bytes secret, unsigned threshold, unsigned count, Random& random) {
  HF_ASSERT(threshold >= 1 && threshold <= count && count <= 255);
  std::vector<Buffer> coefficients(threshold - 1, Buffer(secret.size()));
  for (Buffer& c : coefficients) random.fill(c);
  std::vector<Share> shares;
  for (unsigned number = 1; number <= count; ++number) {
    const auto x = static_cast<std::uint8_t>(number);
    Share share{x, Buffer(secret.size())};
    for (std::size_t at = 0; at < secret.size(); ++at) {
      std::uint8_t sum = 0;
      for (auto c = coefficients.rbegin(); c != coefficients.rend(); ++c) {
        sum = multiply(static_cast<std::uint8_t>(sum ^ (*c)[at]), x);
      }
      share.bytes[at] = static_cast<std::uint8_t>(sum ^ secret[at]);
    }
    shares.push_back(std::move(share));
  }
  for (Buffer& c : coefficients) wipe(c);
  return shares;
}

// Lagrange's interpolation at 0.
Buffer combine(const std::vector<Share>& shares) {
  HF_ASSERT(!shares.empty());
  Buffer secret(shares.front().bytes.size());
  for (const Share& share : shares) {
    HF_ASSERT(share.number != 0 && share.bytes.size() == secret.size());
    std::uint8_t factor = 1;
    for (const Share& other : shares) {
      if (&other == &share) continue;
      HF_ASSERT(other.number != share.number);
      factor = multiply(factor, multiply(other.number, inverse(other.number ^ share.number)));
    }
    for (std::size_t at = 0; at < secret.size(); ++at) {
      secret[at] = static_cast<std::uint8_t>(secret[at] ^ multiply(share.bytes[at], factor));
    }
  }
  return secret;
}

}  // namespace holdfast::crypto
