#include "repo/keys.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/codec.h"
#include "crypto/hash.h"

namespace holdfast::repo {

namespace {

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

crypto::Key recipient_key(const char* context, const crypto::Key& shared, const crypto::PublicKey& ephemeral,
                          const crypto::PublicKey& recipient) {
  return crypto::derive_key(context, {shared.bytes(), ephemeral, recipient});
}

constexpr char kSessionContext[] = "holdfast 0 recipient";
constexpr char kSlotContext[] = "holdfast 0 slot recipient";

}  // namespace

Secrets Secrets::generate(Random& random) {
  Secrets secrets;
  for (auto* secret : numbered(secrets)) *secret = random_key(random);
  secrets.admin_public = crypto::sign_public(*secrets.admin);
  return secrets;
}

Secrets Secrets::copy() const {
  Secrets twin;
  const auto from = numbered(*this);
  const auto to = numbered(twin);
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (*from[i]) *to[i] = (*from[i])->copy();
  }
  twin.admin_public = admin_public;
  for (const auto& [epoch, secret] : reads) twin.reads.emplace(epoch, secret.copy());
  return twin;
}

Rights Secrets::rights() const {
  Rights rights = 0;
  const auto all = numbered(*this);
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (*all[i]) rights = static_cast<Rights>(rights | 1u << i);
  }
  return rights;
}

void Secrets::restrict(Rights kept) {
  const auto all = numbered(*this);
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!(kept >> i & 1)) all[i]->reset();
  }
  if (!read) reads.clear();
}

Buffer encode_secrets(const Secrets& secrets) {
  const auto all = numbered(secrets);
  Encoder out;
  out.u8(0);
  out.raw(secrets.admin_public);
  out.varint(static_cast<std::uint64_t>(
      std::count_if(all.begin(), all.end(), [](auto* s) { return s->has_value(); })));
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!*all[i]) continue;
    out.u8(static_cast<std::uint8_t>(i + 1));
    out.raw((*all[i])->bytes());
  }
  out.varint(secrets.reads.size());
  for (const auto& [epoch, secret] : secrets.reads) {
    out.u32(epoch);
    out.raw(secret.bytes());
  }
  return out.take();
}

Result<Secrets> decode_secrets(Bytes bytes) {
  Decoder in(bytes);
  Secrets secrets;
  const auto all = numbered(secrets);
  if (in.u8() != 0) in.fail();
  secrets.admin_public = in.array<32>();
  std::uint8_t last = 0;
  for (std::uint64_t n = in.count(33); n > 0 && in.ok(); --n) {
    const std::uint8_t which = in.u8();
    const Bytes secret = in.raw(32);
    if (which <= last || which > all.size()) in.fail();
    if (!in.ok()) break;
    last = which;
    all[which - 1u]->emplace(secret);
  }
  std::uint32_t last_epoch = 0;
  for (std::uint64_t n = in.count(36); n > 0 && in.ok(); --n) {
    const std::uint32_t epoch = in.u32();
    const Bytes secret = in.raw(32);
    if (epoch <= last_epoch || !secrets.read) in.fail();
    if (!in.ok()) break;
    last_epoch = epoch;
    secrets.reads.emplace(epoch, crypto::Key(secret));
  }
  TRY(in.finish("a key slot's secrets"));
  return secrets;
}

namespace {

Encoder slot_head(SlotKind kind, std::string_view label, model::Time created, const Secrets& secrets) {
  Encoder head;
  head.u8(static_cast<std::uint8_t>(kind));
  head.string(label);
  encode(head, created);
  head.u8(secrets.rights());
  head.u32(secrets.epoch());
  return head;
}

Buffer slot_context(const RepositoryId& id, std::string_view name, Bytes head) {
  Buffer aad = seal_context(id, name);
  append(aad, head);
  return aad;
}

// `signer`: of a recipient's slot.
Buffer finish_slot(const RepositoryId& id, std::string_view name, Encoder head, const crypto::Key& kek,
                   const Secrets& secrets, const crypto::Key* signer, Random& random) {
  Buffer bundle = encode_secrets(secrets);
  const Buffer sealed = seal(kek, slot_context(id, name, head.bytes()), bundle, random);
  crypto::wipe(bundle);
  head.blob(sealed);
  if (signer != nullptr) head.raw(signature_of(*signer, id, name, head.bytes()));
  return wrap_vital(Vital::key, head.bytes());
}

Result<Secrets> unseal_slot(const RepositoryId& id, std::string_view name, const KeySlot& slot,
                            const crypto::Key& kek) {
  Buffer bundle = TRY(unseal(kek, slot_context(id, name, slot.head), slot.sealed));
  auto secrets = decode_secrets(bundle);
  crypto::wipe(bundle);
  const bool lies =
      secrets.ok() && (secrets.value().rights() != slot.rights || secrets.value().epoch() != slot.epoch);
  if (lies) {
    return Error(Errc::damaged,
                 fmt::format("key slot {} says that it opens other secrets than it does", name));
  }
  return secrets;
}

}  // namespace

Result<Buffer> make_slot(const RepositoryId& id, std::string_view name, const Secrets& secrets,
                         Bytes password, std::string label, model::Time created, crypto::Argon2Cost cost,
                         Random& random) {
  KeySlot slot;
  slot.label = std::move(label);
  slot.cost = cost;
  slot.salt = random.array<16>();
  const crypto::Key kek = TRY(password_key(slot, password));
  return renew_slot(id, name, secrets, slot, kek, created, random);
}

// The key of a slot may seal many: every sealing has a salt of its own.
Buffer renew_slot(const RepositoryId& id, std::string_view name, const Secrets& secrets, const KeySlot& old,
                  const crypto::Key& password_key, model::Time created, Random& random) {
  Encoder head = slot_head(SlotKind::password, old.label, created, secrets);
  head.u32(old.cost.passes);
  head.u32(old.cost.memory_kib);
  head.raw(old.salt);
  return finish_slot(id, name, std::move(head), password_key, secrets, nullptr, random);
}

bool are_twins(const KeySlot& a, const KeySlot& b) {
  return a.kind == b.kind && a.salt == b.salt && a.recipient == b.recipient && a.rights == b.rights;
}

Result<Buffer> make_recipient_slot(const RepositoryId& id, std::string_view name, const Secrets& secrets,
                                   const crypto::PublicKey& recipient, std::string label, model::Time created,
                                   const crypto::Key& admin, Random& random) {
  const crypto::Key ephemeral = random_key(random);
  const crypto::PublicKey ephemeral_public = crypto::x25519_public(ephemeral);
  const crypto::Key shared = TRY(crypto::x25519(ephemeral, recipient));
  Encoder head = slot_head(SlotKind::recipient, label, created, secrets);
  head.raw(recipient);
  head.raw(ephemeral_public);
  return finish_slot(id, name, std::move(head),
                     recipient_key(kSlotContext, shared, ephemeral_public, recipient), secrets, &admin,
                     random);
}

bool made_by_admin(const crypto::PublicKey& admin, const RepositoryId& id, std::string_view name,
                   const KeySlot& slot) {
  if (slot.kind == SlotKind::password) return true;
  Encoder body;
  body.raw(slot.head);
  body.blob(slot.sealed);
  return is_signed_by(admin, id, name, body.bytes(), slot.signature);
}

Result<KeySlot> decode_slot(Bytes object, std::string_view name) {
  const Unwrapped vital = TRY(unwrap_vital(Vital::key, object, name));
  Decoder in(vital.body);
  KeySlot slot;
  const std::uint8_t type = in.u8();
  slot.kind = static_cast<SlotKind>(type);
  if (in.ok() && slot.kind != SlotKind::password && slot.kind != SlotKind::recipient) {
    return Error(Errc::unsupported, fmt::format("key slot {} is of unknown type {}", name, type));
  }
  slot.label = in.string();
  slot.created = model::decode_time(in);
  slot.rights = in.u8();
  slot.epoch = in.u32();
  if (slot.kind == SlotKind::password) {
    slot.cost.passes = in.u32();
    slot.cost.memory_kib = in.u32();
    slot.salt = in.array<16>();
  } else {
    slot.recipient = in.array<32>();
    slot.ephemeral = in.array<32>();
  }
  const Bytes head = Bytes(vital.body).first(vital.body.size() - in.left());
  slot.head.assign(head.begin(), head.end());
  const Bytes sealed = in.blob();
  slot.sealed.assign(sealed.begin(), sealed.end());
  if (slot.kind == SlotKind::recipient) slot.signature = in.array<64>();
  TRY(in.finish("a key slot"));
  return slot;
}

Result<crypto::Key> password_key(const KeySlot& slot, Bytes password) {
  if (slot.kind != SlotKind::password) return Error(Errc::wrong_key, "that key slot wants a secret key");
  return crypto::argon2id(password, slot.salt, slot.cost);
}

Result<Secrets> open_slot(const RepositoryId& id, std::string_view name, const KeySlot& slot,
                          const crypto::Key& password_key) {
  if (slot.kind != SlotKind::password) return Error(Errc::wrong_key, "that key slot wants a secret key");
  return unseal_slot(id, name, slot, password_key);
}

Result<Secrets> open_slot(const RepositoryId& id, std::string_view name, const KeySlot& slot,
                          Bytes password) {
  const crypto::Key key = TRY(password_key(slot, password));
  return unseal_slot(id, name, slot, key);
}

Result<Secrets> open_recipient_slot(const RepositoryId& id, std::string_view name, const KeySlot& slot,
                                    const crypto::Key& secret) {
  if (slot.kind != SlotKind::recipient || crypto::x25519_public(secret) != slot.recipient) {
    return Error(Errc::wrong_key, "that key slot is another one's");
  }
  const crypto::Key shared = TRY(crypto::x25519(secret, slot.ephemeral));
  const crypto::Key kek = recipient_key(kSlotContext, shared, slot.ephemeral, slot.recipient);
  Secrets secrets = TRY(unseal_slot(id, name, slot, kek));
  if (made_by_admin(secrets.admin_public, id, name, slot)) return secrets;
  return Error(Errc::damaged, fmt::format("key slot {} was made by no administrator", name));
}

Result<SealedSecret> seal_to_reader(const crypto::PublicKey& reader, Bytes aad, const crypto::Key& secret,
                                    Random& random) {
  const crypto::Key ephemeral = random_key(random);
  SealedSecret out;
  out.ephemeral = crypto::x25519_public(ephemeral);
  const crypto::Key shared = TRY(crypto::x25519(ephemeral, reader));
  out.sealed =
      seal(recipient_key(kSessionContext, shared, out.ephemeral, reader), aad, secret.bytes(), random);
  return out;
}

Result<crypto::Key> open_as_reader(const crypto::Key& read, const crypto::PublicKey& reader, Bytes aad,
                                   const SealedSecret& sealed) {
  const crypto::Key shared = TRY(crypto::x25519(read, sealed.ephemeral));
  Buffer plain =
      TRY(unseal(recipient_key(kSessionContext, shared, sealed.ephemeral, reader), aad, sealed.sealed));
  if (plain.size() != 32) return Error(Errc::damaged, "a session secret has the wrong length");
  crypto::Key secret{Bytes(plain)};
  crypto::wipe(plain);
  return secret;
}

}  // namespace holdfast::repo
