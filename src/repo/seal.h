// Sealing of small objects, and the two-copy envelope of vital ones. docs/format/README.md. Thread-safe.
#pragma once

#include "base/random.h"
#include "base/result.h"
#include "crypto/secret.h"
#include "crypto/sign.h"
#include "model/commit.h"

namespace holdfast::repo {

using RepositoryId = std::array<std::uint8_t, 16>;

inline constexpr std::size_t kSealOverheadBytes = 32 + 32 + 12 + 16;

Buffer seal(const crypto::Key& key, Bytes aad, Bytes plain, Random& random);
// Errc::wrong_key where the commitment is to another key, Errc::damaged where the text was altered.
Result<Buffer> unseal(const crypto::Key& key, Bytes aad, Bytes sealed);

// The usual associated data: which repository, which object.
Buffer seal_context(const RepositoryId& id, std::string_view object_name);

enum class Vital : std::uint8_t {
  config = 1,
  key = 2,
  open = 3,
  fate = 4,
  manifest = 5,
  refs = 6,
  log = 7,
  domain = 8,
  erasure = 9,
};

// Two copies of the record around `body`, end to end.
Buffer wrap_vital(Vital kind, Bytes body);
struct Unwrapped {
  Buffer body;
  bool one_copy_damaged = false;
};
// The first whole copy. Errc::damaged where there is none of that kind.
Result<Unwrapped> unwrap_vital(Vital kind, Bytes object, std::string_view name);

// Body ‖ signature over (repository id ‖ name ‖ body).
Buffer sign_body(const crypto::Key& seed, const RepositoryId& id, std::string_view name, Buffer body);
// The signature alone, and whether it is by `signer`.
crypto::Signature signature_of(const crypto::Key& seed, const RepositoryId& id, std::string_view name,
                               Bytes body);
bool is_signed_by(const std::array<std::uint8_t, 32>& signer, const RepositoryId& id, std::string_view name,
                  Bytes body, const crypto::Signature& signature);
// The body without its signature; Errc::damaged where the signature is not by `signer`.
Result<Bytes> verify_body(const std::array<std::uint8_t, 32>& signer, const RepositoryId& id,
                          std::string_view name, Bytes signed_body);

}  // namespace holdfast::repo
