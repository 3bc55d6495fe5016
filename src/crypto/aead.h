// AES-256-GCM (NIST SP 800-38D) through OpenSSL, 96-bit nonces, 128-bit tags. One Aead holds one
// expanded key; it belongs to one thread at a time. A call takes at most 1 GiB. The caller answers for
// never sealing two texts under one key and nonce.
#pragma once

#include <memory>

#include "base/result.h"
#include "crypto/secret.h"

namespace holdfast::crypto {

inline constexpr std::size_t kNonceBytes = 12;
inline constexpr std::size_t kTagBytes = 16;
using Nonce = std::array<std::uint8_t, kNonceBytes>;

class Aead {
 public:
  explicit Aead(const Key& key);
  ~Aead();
  Aead(Aead&&) noexcept;
  Aead& operator=(Aead&&) noexcept;
  // Replaces the key, keeping the context's memory.
  void rekey(const Key& key);

  // Writes ciphertext then tag: out.size() must be plain.size() + kTagBytes. `out` may be `plain`'s
  // own memory (same start), else they must not overlap.
  void seal(const Nonce& nonce, Bytes aad, Bytes plain, MutableBytes out);
  // False, and `out` zeroed, where the tag does not fit. out.size() must be sealed.size() - kTagBytes;
  // sealed.size() ≥ kTagBytes. `out` may be `sealed`'s own memory (same start), else they must not
  // overlap.
  [[nodiscard]] bool open(const Nonce& nonce, Bytes aad, Bytes sealed, MutableBytes out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::crypto
