#include "repo/seal.h"

#include <fmt/core.h>

#include "base/codec.h"
#include "crypto/aead.h"
#include "crypto/hash.h"
#include "crypto/sign.h"

namespace holdfast::repo {

namespace {

constexpr char kVitalMagic[] = "HFV0";
constexpr std::size_t kVitalHeadBytes = 12;
constexpr std::size_t kDigestBytes = 32;

crypto::Nonce seal_nonce(const crypto::Key& key, Bytes salt, Bytes plain) {
  const crypto::Key nonce_key = crypto::derive_key("holdfast 0 seal nonce", {key.bytes(), salt});
  const Hash hash = crypto::keyed_hash(nonce_key, plain);
  crypto::Nonce nonce;
  std::copy_n(hash.begin(), nonce.size(), nonce.begin());
  return nonce;
}

}  // namespace

Buffer seal(const crypto::Key& key, Bytes aad, Bytes plain, Random& random) {
  const auto salt = random.array<32>();
  const crypto::Key commit = crypto::derive_key("holdfast 0 seal commit", {key.bytes(), salt});
  const crypto::Nonce nonce = seal_nonce(key, salt, plain);
  Encoder out;
  out.raw(salt);
  out.raw(commit.bytes());
  out.raw(nonce);
  Buffer sealed = out.take();
  const std::size_t head = sealed.size();
  sealed.resize(head + plain.size() + crypto::kTagBytes);
  crypto::Aead aead(crypto::derive_key("holdfast 0 seal", {key.bytes(), salt}));
  aead.seal(nonce, aad, plain, MutableBytes(sealed).subspan(head));
  return sealed;
}

Result<Buffer> unseal(const crypto::Key& key, Bytes aad, Bytes sealed) {
  if (sealed.size() < kSealOverheadBytes) return Error(Errc::damaged, "a sealed record is too short");
  Decoder in(sealed);
  const auto salt = in.array<32>();
  const auto commit = in.array<32>();
  const auto nonce = in.array<12>();
  if (!crypto::equal(commit, crypto::derive_key("holdfast 0 seal commit", {key.bytes(), salt}).bytes())) {
    return Error(Errc::wrong_key, "a sealed record does not open with this key");
  }
  Buffer plain(in.left() - crypto::kTagBytes);
  crypto::Aead aead(crypto::derive_key("holdfast 0 seal", {key.bytes(), salt}));
  if (!aead.open(nonce, aad, in.raw(in.left()), plain)) {
    return Error(Errc::damaged, "a sealed record was altered");
  }
  return plain;
}

Buffer seal_context(const RepositoryId& id, std::string_view object_name) {
  Buffer aad(id.begin(), id.end());
  append(aad, as_bytes(object_name));
  return aad;
}

Buffer wrap_vital(Vital kind, Bytes body) {
  Encoder copy;
  copy.raw(as_bytes(std::string_view(kVitalMagic, 4)));
  copy.u8(static_cast<std::uint8_t>(kind));
  copy.u8(0);
  copy.u16(0);
  copy.u32(static_cast<std::uint32_t>(body.size()));
  copy.raw(body);
  copy.raw(crypto::hash(copy.bytes()));
  Buffer object = copy.take();
  object.reserve(object.size() * 2);
  object.insert(object.end(), object.begin(), object.end());
  return object;
}

namespace {

// The body of the copy that `bytes` begin with, or nothing where it is not whole.
std::optional<Bytes> body_of_copy(Vital kind, Bytes bytes) {
  if (bytes.size() < kVitalHeadBytes + kDigestBytes) return std::nullopt;
  Decoder in(bytes);
  const bool magic = as_text(in.raw(4)) == std::string_view(kVitalMagic, 4);
  const bool fits = in.u8() == static_cast<std::uint8_t>(kind);
  const bool zeros = in.u8() == 0 && in.u16() == 0;
  const std::uint32_t size = in.u32();
  if (!magic || !fits || !zeros || size > bytes.size() - kVitalHeadBytes - kDigestBytes) return std::nullopt;
  const Bytes record = bytes.first(kVitalHeadBytes + size);
  const Hash digest = crypto::hash(record);
  const Bytes stored = bytes.subspan(record.size(), kDigestBytes);
  if (!std::equal(digest.begin(), digest.end(), stored.begin())) return std::nullopt;
  return record.subspan(kVitalHeadBytes);
}

}  // namespace

// The first copy has its length from itself, so that it outlives the loss of the object's end.
Result<Unwrapped> unwrap_vital(Vital kind, Bytes object, std::string_view name) {
  const auto first = body_of_copy(kind, object);
  const auto second = body_of_copy(kind, object.subspan(object.size() / 2));
  if (!first && !second) {
    return Error(Errc::damaged, fmt::format("object {}: both copies inside are damaged", name));
  }
  const Bytes body = first ? *first : *second;
  const bool whole = first && second && object.size() == 2 * (kVitalHeadBytes + body.size() + kDigestBytes);
  return Unwrapped{Buffer(body.begin(), body.end()), !whole};
}

namespace {

Buffer signed_message(const RepositoryId& id, std::string_view name, Bytes body) {
  Encoder message;
  message.raw(id);
  message.string(name);
  message.raw(body);
  return message.take();
}

}  // namespace

Buffer sign_body(const crypto::Key& seed, const RepositoryId& id, std::string_view name, Buffer body) {
  append(body, signature_of(seed, id, name, body));
  return body;
}

crypto::Signature signature_of(const crypto::Key& seed, const RepositoryId& id, std::string_view name,
                               Bytes body) {
  return crypto::sign(seed, signed_message(id, name, body));
}

bool is_signed_by(const std::array<std::uint8_t, 32>& signer, const RepositoryId& id, std::string_view name,
                  Bytes body, const crypto::Signature& signature) {
  return crypto::verify(signer, signed_message(id, name, body), signature);
}

Result<Bytes> verify_body(const std::array<std::uint8_t, 32>& signer, const RepositoryId& id,
                          std::string_view name, Bytes signed_body) {
  crypto::Signature signature;
  if (signed_body.size() >= signature.size()) {
    const Bytes body = signed_body.first(signed_body.size() - signature.size());
    std::copy_n(signed_body.last(signature.size()).begin(), signature.size(), signature.begin());
    if (is_signed_by(signer, id, name, body, signature)) return body;
  }
  return Error(Errc::damaged, fmt::format("object {}: the signature is not by who may write it", name));
}

}  // namespace holdfast::repo
