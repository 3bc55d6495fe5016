#include "repo/keys.h"

#include <fmt/core.h>

#include "base/codec.h"
#include "crypto/hash.h"

namespace holdfast::repo {

namespace {

constexpr std::uint8_t kPasswordSlot = 1;

crypto::Key random_key(Random& random) {
  crypto::Key key;
  random.fill(key.writable());
  return key;
}

// The secrets in the order of their numbers, from 1.
template <typename S>
auto numbered(S& secrets) {
  return std::array{&secrets.content, &secrets.index,  &secrets.read,
                    &secrets.admin,   &secrets.commit, &secrets.log};
}

Buffer encode_bundle(const Secrets& secrets) {
  const auto all = numbered(secrets);
  Encoder out;
  out.u8(0);
  out.varint(static_cast<std::uint64_t>(
      std::count_if(all.begin(), all.end(), [](auto* s) { return s->has_value(); })));
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!*all[i]) continue;
    out.u8(static_cast<std::uint8_t>(i + 1));
    out.raw((*all[i])->bytes());
  }
  return out.take();
}

Result<Secrets> decode_bundle(Bytes bytes) {
  Decoder in(bytes);
  Secrets secrets;
  const auto all = numbered(secrets);
  if (in.u8() != 0) in.fail();
  const std::uint64_t n = in.count(33);
  for (std::uint64_t i = 0; i < n && in.ok(); ++i) {
    const std::uint8_t which = in.u8();
    const Bytes secret = in.raw(32);
    if (!in.ok() || which < 1 || which > all.size()) {
      in.fail();
      break;
    }
    all[which - 1u]->emplace(secret);
  }
  TRY(in.finish("a key slot's secrets"));
  return secrets;
}

}  // namespace

Secrets Secrets::generate(Random& random) {
  Secrets secrets;
  for (auto* secret : numbered(secrets)) *secret = random_key(random);
  return secrets;
}

Secrets Secrets::copy() const {
  Secrets twin;
  const auto from = numbered(*this);
  const auto to = numbered(twin);
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (*from[i]) *to[i] = (*from[i])->copy();
  }
  return twin;
}

Result<Buffer> make_slot(const RepositoryId& id, std::string_view name, const Secrets& secrets,
                         Bytes password, std::string label, model::Time created, crypto::Argon2Cost cost,
                         Random& random) {
  const auto salt = random.array<16>();
  const crypto::Key kek = TRY(crypto::argon2id(password, salt, cost));
  Buffer bundle = encode_bundle(secrets);
  const Buffer sealed = seal(kek, seal_context(id, name), bundle, random);
  crypto::wipe(bundle);
  Encoder body;
  body.u8(kPasswordSlot);
  body.string(label);
  encode(body, created);
  body.u32(cost.passes);
  body.u32(cost.memory_kib);
  body.raw(salt);
  body.blob(sealed);
  return wrap_vital(Vital::key, body.bytes());
}

Result<KeySlot> decode_slot(Bytes object, std::string_view name) {
  const Unwrapped vital = TRY(unwrap_vital(Vital::key, object, name));
  Decoder in(vital.body);
  KeySlot slot;
  const std::uint8_t type = in.u8();
  if (in.ok() && type != kPasswordSlot) {
    return Error(Errc::unsupported, fmt::format("key slot {} is of unknown type {}", name, type));
  }
  slot.label = in.string();
  slot.created = model::decode_time(in);
  slot.cost.passes = in.u32();
  slot.cost.memory_kib = in.u32();
  slot.salt = in.array<16>();
  const Bytes sealed = in.blob();
  slot.sealed.assign(sealed.begin(), sealed.end());
  TRY(in.finish("a key slot"));
  return slot;
}

Result<Secrets> open_slot(const RepositoryId& id, std::string_view name, const KeySlot& slot,
                          Bytes password) {
  const crypto::Key kek = TRY(crypto::argon2id(password, slot.salt, slot.cost));
  Buffer bundle = TRY(unseal(kek, seal_context(id, name), slot.sealed));
  auto secrets = decode_bundle(bundle);
  crypto::wipe(bundle);
  return secrets;
}

namespace {

crypto::Key recipient_key(const crypto::Key& shared, const crypto::PublicKey& ephemeral,
                          const crypto::PublicKey& reader) {
  return crypto::derive_key("holdfast 0 recipient", {shared.bytes(), ephemeral, reader});
}

}  // namespace

Result<SealedSecret> seal_to_reader(const crypto::PublicKey& reader, Bytes aad, const crypto::Key& secret,
                                    Random& random) {
  const crypto::Key ephemeral = random_key(random);
  SealedSecret out;
  out.ephemeral = crypto::x25519_public(ephemeral);
  const crypto::Key shared = TRY(crypto::x25519(ephemeral, reader));
  out.sealed = seal(recipient_key(shared, out.ephemeral, reader), aad, secret.bytes(), random);
  return out;
}

Result<crypto::Key> open_as_reader(const crypto::Key& read, const crypto::PublicKey& reader, Bytes aad,
                                   const SealedSecret& sealed) {
  const crypto::Key shared = TRY(crypto::x25519(read, sealed.ephemeral));
  Buffer plain = TRY(unseal(recipient_key(shared, sealed.ephemeral, reader), aad, sealed.sealed));
  if (plain.size() != 32) return Error(Errc::damaged, "a session secret has the wrong length");
  crypto::Key secret{Bytes(plain)};
  crypto::wipe(plain);
  return secret;
}

}  // namespace holdfast::repo
