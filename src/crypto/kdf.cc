#include "crypto/kdf.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <sodium.h>

namespace holdfast::crypto {
namespace {

constexpr std::uint32_t kPassesMax = 64;
constexpr std::uint64_t kMemoryMax = 4 * kGiB;

const EVP_KDF* hkdf() {
  static const EVP_KDF* const fetched = EVP_KDF_fetch(nullptr, "HKDF", nullptr);
  HF_MEMORY(fetched != nullptr);
  return fetched;
}

OSSL_PARAM octets(const char* name, Bytes bytes) {
  return OSSL_PARAM_construct_octet_string(name, const_cast<std::uint8_t*>(bytes.data()), bytes.size());
}

}  // namespace

Result<Key> argon2id(Bytes password, const std::array<std::uint8_t, 16>& salt, Argon2Cost cost) {
  static_assert(crypto_pwhash_argon2id_SALTBYTES == 16);
  const std::uint64_t memory = std::uint64_t{cost.memory_kib} * kKiB;
  if (cost.passes < crypto_pwhash_argon2id_OPSLIMIT_MIN || cost.passes > kPassesMax ||
      memory < crypto_pwhash_argon2id_MEMLIMIT_MIN || memory > kMemoryMax ||
      password.size() > crypto_pwhash_argon2id_PASSWD_MAX) {
    return Error(Errc::unsupported, fmt::format("Argon2id with {} passes over {} KiB is outside 1…{} passes, "
                                                "8 KiB…4 GiB",
                                                cost.passes, cost.memory_kib, kPassesMax));
  }
  HF_ASSERT(sodium_init() >= 0);
  Key key;
  if (crypto_pwhash_argon2id(key.writable().data(), key.bytes().size(),
                             reinterpret_cast<const char*>(password.data()), password.size(), salt.data(),
                             cost.passes, static_cast<std::size_t>(memory),
                             crypto_pwhash_argon2id_ALG_ARGON2ID13) != 0) {
    return Error(Errc::failed, fmt::format("Argon2id needs {} KiB of memory", cost.memory_kib));
  }
  return key;
}

Result<Buffer> hkdf_sha256(Bytes key, Bytes salt, Bytes info, std::size_t length) {
  if (key.empty() || length > 255 * 32) {
    return Error(Errc::unsupported,
                 fmt::format("HKDF-SHA256 of {} bytes from a key of {}", length, key.size()));
  }
  Buffer out(length);
  if (length == 0) return out;
  const std::unique_ptr<EVP_KDF_CTX, decltype(&EVP_KDF_CTX_free)> context(
      EVP_KDF_CTX_new(const_cast<EVP_KDF*>(hkdf())), EVP_KDF_CTX_free);
  HF_MEMORY(context != nullptr);
  char digest[] = "SHA256";
  std::array<OSSL_PARAM, 5> params;
  std::size_t used = 0;
  params[used++] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0);
  params[used++] = octets(OSSL_KDF_PARAM_KEY, key);
  // OpenSSL refuses empty ones, and takes absent ones for empty, as the RFC does.
  if (!salt.empty()) params[used++] = octets(OSSL_KDF_PARAM_SALT, salt);
  if (!info.empty()) params[used++] = octets(OSSL_KDF_PARAM_INFO, info);
  params[used] = OSSL_PARAM_construct_end();
  if (EVP_KDF_derive(context.get(), out.data(), out.size(), params.data()) != 1) {
    ERR_clear_error();
    return Error(Errc::unsupported, fmt::format("HKDF-SHA256 with {} bytes of info", info.size()));
  }
  return out;
}

}  // namespace holdfast::crypto
