#include "crypto/aead.h"

#include <openssl/evp.h>

namespace holdfast::crypto {
namespace {

constexpr std::size_t kCallBytesMax = std::size_t{1} << 30;  // OpenSSL's lengths are int

// Fetched once: an implicit fetch at every init costs more than sealing a small frame.
const EVP_CIPHER* cipher() {
  static const EVP_CIPHER* const fetched = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  HF_MEMORY(fetched != nullptr);
  return fetched;
}

// Adds `in` to the message, or to the associated data where `out` is null.
void update(EVP_CIPHER_CTX* context, std::uint8_t* out, Bytes in) {
  HF_ASSERT(in.size() <= kCallBytesMax);
  if (in.empty()) return;
  int written = 0;
  HF_ASSERT(EVP_CipherUpdate(context, out, &written, in.data(), static_cast<int>(in.size())) == 1);
  HF_ASSERT(static_cast<std::size_t>(written) == in.size());
}

}  // namespace

struct Aead::State {
  // One context for both directions: GCM runs the block cipher forward only, so that the expanded key
  // serves both.
  EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();

  State() { HF_MEMORY(context != nullptr); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { EVP_CIPHER_CTX_free(context); }  // wipes the key schedule

  void start(const Nonce& nonce, bool sealing) {
    HF_MEMORY(EVP_CipherInit_ex2(context, nullptr, nullptr, nonce.data(), sealing ? 1 : 0, nullptr) == 1);
  }
};

Aead::Aead(const Key& key) : state_(std::make_unique<State>()) {
  HF_MEMORY(EVP_CipherInit_ex2(state_->context, cipher(), key.bytes().data(), nullptr, 1, nullptr) == 1);
}
Aead::~Aead() = default;
Aead::Aead(Aead&&) noexcept = default;
Aead& Aead::operator=(Aead&&) noexcept = default;

void Aead::rekey(const Key& key) {
  HF_MEMORY(EVP_CipherInit_ex2(state_->context, nullptr, key.bytes().data(), nullptr, 1, nullptr) == 1);
}

void Aead::seal(const Nonce& nonce, Bytes aad, Bytes plain, MutableBytes out) {
  HF_ASSERT(out.size() == plain.size() + kTagBytes);
  EVP_CIPHER_CTX* const context = state_->context;
  state_->start(nonce, true);
  update(context, nullptr, aad);
  update(context, out.data(), plain);
  std::uint8_t* const tag = out.data() + plain.size();
  int written = 0;
  HF_ASSERT(EVP_CipherFinal_ex(context, tag, &written) == 1 && written == 0);
  HF_ASSERT(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kTagBytes, tag) == 1);
}

bool Aead::open(const Nonce& nonce, Bytes aad, Bytes sealed, MutableBytes out) {
  HF_ASSERT(sealed.size() >= kTagBytes && out.size() == sealed.size() - kTagBytes);
  EVP_CIPHER_CTX* const context = state_->context;
  state_->start(nonce, false);
  std::array<std::uint8_t, kTagBytes> tag;
  std::memcpy(tag.data(), sealed.data() + out.size(), kTagBytes);
  HF_ASSERT(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kTagBytes, tag.data()) == 1);
  update(context, nullptr, aad);
  update(context, out.data(), sealed.first(out.size()));
  int written = 0;
  if (EVP_CipherFinal_ex(context, tag.data(), &written) == 1) return true;
  wipe(out);
  return false;
}

}  // namespace holdfast::crypto
