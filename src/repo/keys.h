// The secrets of a repository and the slots that hold them. docs/format/keys.md. Values; const use is
// thread-safe.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "crypto/kdf.h"
#include "crypto/sign.h"
#include "model/entry.h"
#include "repo/seal.h"

namespace holdfast::repo {

// Bit n - 1 stands for secret n of the format.
using Rights = std::uint8_t;
inline constexpr Rights kAllRights = 0x3f;

// What a key slot opens. A missing secret is a right that its holder lacks.
struct Secrets {
  std::optional<crypto::Key> content;
  std::optional<crypto::Key> index;
  std::optional<crypto::Key> read;   // X25519, of epoch 0
  std::optional<crypto::Key> admin;  // Ed25519 seeds
  std::optional<crypto::Key> commit;
  std::optional<crypto::Key> log;
  std::map<std::uint32_t, crypto::Key> reads;  // X25519, of the epochs from 1 on
  // Whose signature makes a config the repository's: it travels with the secrets, so that a store can't give
  // writers another public key to seal to.
  crypto::PublicKey admin_public{};

  static Secrets generate(Random& random);
  Secrets copy() const;
  Rights rights() const;
  // The newest epoch of the read key among them; 0 where there is none.
  std::uint32_t epoch() const { return reads.empty() ? 0 : reads.rbegin()->first; }
  // Drops what is not in `kept`.
  void restrict(Rights kept);
};

// The secrets as a slot or a recovery kit holds them. Wipe what you no longer need.
Buffer encode_secrets(const Secrets& secrets);
Result<Secrets> decode_secrets(Bytes bytes);

enum class SlotKind : std::uint8_t { password = 1, recipient = 2 };

struct KeySlot {
  SlotKind kind = SlotKind::password;
  std::string label;
  model::Time created;
  Rights rights = 0;        // as written in the clear; sealed along, so that its holder sees a lie
  std::uint32_t epoch = 0;  // the same of the newest read key
  crypto::Argon2Cost cost;  // password
  std::array<std::uint8_t, 16> salt{};  // password
  crypto::PublicKey recipient{};        // recipient
  crypto::PublicKey ephemeral{};        // recipient
  Buffer head;                          // everything before `sealed`
  Buffer sealed;
  crypto::Signature signature{};  // recipient: by admin
};

// `name` is the object's name; the returned bytes are the object.
Result<Buffer> make_slot(const RepositoryId& id, std::string_view name, const Secrets& secrets,
                         Bytes password, std::string label, model::Time created, crypto::Argon2Cost cost,
                         Random& random);
// One that whoever has the recipient's secret key opens. Signed by `admin`: anybody can seal to a public key.
Result<Buffer> make_recipient_slot(const RepositoryId& id, std::string_view name, const Secrets& secrets,
                                   const crypto::PublicKey& recipient, std::string label, model::Time created,
                                   const crypto::Key& admin, Random& random);
// Whether an administrator made it. A password's slot can be made only by who knows the password: yes.
bool made_by_admin(const crypto::PublicKey& admin, const RepositoryId& id, std::string_view name,
                   const KeySlot& slot);
Result<KeySlot> decode_slot(Bytes object, std::string_view name);
// Another one that the same password opens, whose key (see password_key) is at hand instead of itself.
Buffer renew_slot(const RepositoryId& id, std::string_view name, const Secrets& secrets, const KeySlot& old,
                  const crypto::Key& password_key, model::Time created, Random& random);
// Whether a rotation made one from the other: opened by the same, for the same rights.
bool are_twins(const KeySlot& a, const KeySlot& b);
// What a password slot is sealed with. Errc::wrong_key where the slot is a recipient's.
Result<crypto::Key> password_key(const KeySlot& slot, Bytes password);
// Errc::wrong_key where the password, or the secret key, is not this slot's; Errc::damaged where no
// administrator made it.
Result<Secrets> open_slot(const RepositoryId& id, std::string_view name, const KeySlot& slot,
                          const crypto::Key& password_key);
Result<Secrets> open_slot(const RepositoryId& id, std::string_view name, const KeySlot& slot, Bytes password);
Result<Secrets> open_recipient_slot(const RepositoryId& id, std::string_view name, const KeySlot& slot,
                                    const crypto::Key& secret);

// A session secret sealed to the read public key.
struct SealedSecret {
  crypto::PublicKey ephemeral{};
  Buffer sealed;
};
Result<SealedSecret> seal_to_reader(const crypto::PublicKey& reader, Bytes aad, const crypto::Key& secret,
                                    Random& random);
Result<crypto::Key> open_as_reader(const crypto::Key& read, const crypto::PublicKey& reader, Bytes aad,
                                   const SealedSecret& sealed);

}  // namespace holdfast::repo
