// The secrets of a repository and the slots that hold them. docs/format/keys.md. Values; const use is
// thread-safe.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "crypto/kdf.h"
#include "crypto/sign.h"
#include "model/entry.h"
#include "repo/seal.h"

namespace holdfast::repo {

// What a key slot opens. A missing secret is a right that its holder lacks.
struct Secrets {
  std::optional<crypto::Key> content;
  std::optional<crypto::Key> index;
  std::optional<crypto::Key> read;   // X25519
  std::optional<crypto::Key> admin;  // Ed25519 seeds
  std::optional<crypto::Key> commit;
  std::optional<crypto::Key> log;

  static Secrets generate(Random& random);
  Secrets copy() const;
};

struct KeySlot {
  std::string label;
  model::Time created;
  crypto::Argon2Cost cost;
  std::array<std::uint8_t, 16> salt{};
  Buffer sealed;
};

// `name` is the object's name; the returned bytes are the object.
Result<Buffer> make_slot(const RepositoryId& id, std::string_view name, const Secrets& secrets,
                         Bytes password, std::string label, model::Time created, crypto::Argon2Cost cost,
                         Random& random);
Result<KeySlot> decode_slot(Bytes object, std::string_view name);
// Errc::wrong_key where the password is not this slot's.
Result<Secrets> open_slot(const RepositoryId& id, std::string_view name, const KeySlot& slot, Bytes password);

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
