// Config: what a repository is. In the clear, signed. docs/format/README.md, "Config". A plain value.
#pragma once

#include "chunk/chunk.h"
#include "repo/keys.h"

namespace holdfast::repo {

struct Config {
  RepositoryId id{};
  model::Time created;
  crypto::PublicKey admin{};
  crypto::PublicKey commit{};
  crypto::PublicKey log{};
  crypto::PublicKey read{};
  chunk::Limits chunks;
};

// The whole object, signed by the admin secret, which must be there.
Buffer encode_config(const Config& config, const Secrets& secrets);
// Errc::damaged; Errc::unsupported for a version or feature that this program doesn't know.
Result<Config> decode_config(Bytes object);

}  // namespace holdfast::repo
