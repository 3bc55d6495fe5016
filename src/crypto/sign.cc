#include "crypto/sign.h"

#include <openssl/err.h>
#include <openssl/evp.h>

namespace holdfast::crypto {
namespace {

using Pkey = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

Pkey private_key(int type, const Key& secret) {
  EVP_PKEY* const key =
      EVP_PKEY_new_raw_private_key(type, nullptr, secret.bytes().data(), secret.bytes().size());
  HF_MEMORY(key != nullptr);
  return {key, EVP_PKEY_free};
}

PublicKey public_of(int type, const Key& secret) {
  const auto key = private_key(type, secret);
  PublicKey out;
  std::size_t size = out.size();
  HF_ASSERT(EVP_PKEY_get_raw_public_key(key.get(), out.data(), &size) == 1 && size == out.size());
  return out;
}

DigestContext digest_context() {
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  HF_MEMORY(context != nullptr);
  return {context, EVP_MD_CTX_free};
}

}  // namespace

PublicKey sign_public(const Key& seed) { return public_of(EVP_PKEY_ED25519, seed); }

Signature sign(const Key& seed, Bytes message) {
  const auto key = private_key(EVP_PKEY_ED25519, seed);
  const auto context = digest_context();
  HF_MEMORY(EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1);
  Signature out;
  std::size_t size = out.size();
  HF_MEMORY(EVP_DigestSign(context.get(), out.data(), &size, message.data(), message.size()) == 1);
  HF_ASSERT(size == out.size());
  return out;
}

namespace {

bool verifies(const PublicKey& public_key, Bytes message, const Signature& signature) {
  const Pkey key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, public_key.data(), public_key.size()),
                 EVP_PKEY_free);
  HF_MEMORY(key != nullptr);  // checks the length alone; a point that is none fails below
  const auto context = digest_context();
  HF_MEMORY(EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1);
  const bool good = EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(),
                                     message.size()) == 1;
  if (!good) ERR_clear_error();
  return good;
}

}  // namespace

bool verify(const PublicKey& public_key, Bytes message, const Signature& signature) {
  if (verifies(public_key, message, signature)) return true;
  // OpenSSL says the same where its memory ran out; but an entry of the log with a wrong signature is void,
  // so what follows may be deleted. Hence a signature that is right must verify, and this one again not.
  const Key seed{};
  HF_MEMORY(verifies(sign_public(seed), message, sign(seed, message)));
  return verifies(public_key, message, signature);
}

PublicKey x25519_public(const Key& secret) { return public_of(EVP_PKEY_X25519, secret); }

Result<Key> x25519(const Key& secret, const PublicKey& peer) {
  const auto own = private_key(EVP_PKEY_X25519, secret);
  const Pkey other(EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr, peer.data(), peer.size()),
                   EVP_PKEY_free);
  HF_MEMORY(other != nullptr);
  const std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> context(
      EVP_PKEY_CTX_new(own.get(), nullptr), EVP_PKEY_CTX_free);
  HF_MEMORY(context != nullptr);
  HF_MEMORY(EVP_PKEY_derive_init(context.get()) == 1);
  HF_MEMORY(EVP_PKEY_derive_set_peer(context.get(), other.get()) == 1);
  Key shared;
  std::size_t size = shared.bytes().size();
  // OpenSSL refuses an all-zero result (RFC 7748 §6.1) and nothing else here.
  if (EVP_PKEY_derive(context.get(), shared.writable().data(), &size) != 1) {
    ERR_clear_error();
    return Error(Errc::damaged, "X25519 public key is of low order");
  }
  HF_ASSERT(size == shared.bytes().size());
  return shared;
}

}  // namespace holdfast::crypto
