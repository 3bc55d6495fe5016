// ROTATE: the log entry by which a new read key comes into force; docs/format/keys.md, "Rotation". Signed by
// admin, so that the right to the log alone gives nobody a key of his own. A plain value; pure.
#pragma once

#include "base/codec.h"
#include "repo/config.h"

namespace holdfast::repo {

struct Rotate {
  std::uint32_t epoch = 0;   // one more than the last
  crypto::PublicKey read{};  // X25519
  crypto::Signature signature{};
};

// Signed; needs the admin secret (asserted).
Rotate make_rotate(const Config& config, const Secrets& secrets, std::uint32_t epoch,
                   const crypto::PublicKey& read);
bool is_signed(const Rotate& entry, const Config& config);

void encode(Encoder& out, const Rotate& entry);
Rotate decode_rotate(Decoder& in);

}  // namespace holdfast::repo
