#include "crypto/sha256.h"

#include <openssl/evp.h>

#include "base/check.h"

namespace holdfast::crypto {

namespace {

const EVP_MD* algorithm() {
  static const EVP_MD* const fetched = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  HF_MEMORY(fetched != nullptr);
  return fetched;
}

}  // namespace

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  HF_MEMORY(state_->context != nullptr && EVP_DigestInit_ex2(state_->context, algorithm(), nullptr) == 1);
}

Sha256::~Sha256() = default;

void Sha256::update(Bytes data) {
  HF_ASSERT(EVP_DigestUpdate(state_->context, data.data(), data.size()) == 1);
}

Hash Sha256::finish() {
  Hash out;
  HF_ASSERT(EVP_DigestFinal_ex(state_->context, out.data(), nullptr) == 1);
  return out;
}

Hash sha256(Bytes data) {
  Sha256 hasher;
  hasher.update(data);
  return hasher.finish();
}

// By hand over SHA-256: OpenSSL's own takes no key of no bytes.
Hash hmac_sha256(Bytes key, Bytes data) {
  constexpr std::size_t kBlock = 64;
  std::array<std::uint8_t, kBlock> inner{}, outer{};
  if (key.size() > kBlock) {
    const Hash shorter = sha256(key);
    std::copy(shorter.begin(), shorter.end(), inner.begin());
  } else {
    std::copy(key.begin(), key.end(), inner.begin());
  }
  outer = inner;
  for (std::uint8_t& byte : inner) byte ^= 0x36;
  for (std::uint8_t& byte : outer) byte ^= 0x5c;
  Sha256 first;
  first.update(inner);
  first.update(data);
  const Hash message = first.finish();
  Sha256 second;
  second.update(outer);
  second.update(message);
  return second.finish();
}

}  // namespace holdfast::crypto
