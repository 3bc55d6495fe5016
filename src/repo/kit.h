// Recovery kits: the secrets of a repository as text to print, whole or split into shares of which any
// `threshold` restore them. docs/format/keys.md, "Recovery kit". Pure.
#pragma once

#include <string>
#include <vector>

#include "repo/keys.h"

namespace holdfast::repo {

struct KitShape {
  unsigned shares = 1;
  unsigned threshold = 1;
};

// A text for each share. `made` says when. Errc::usage where there can be no such shape.
Result<std::vector<std::string>> make_kit(const RepositoryId& id, const Secrets& secrets, KitShape shape,
                                          const std::string& made, Random& random);

// The secrets from all parts in `texts`, in any order. Errc::usage where a line was mistyped, a share is
// missing, or shares of different sets are mixed; Errc::wrong_key where they are another repository's.
Result<Secrets> read_kit(const RepositoryId& id, const std::vector<std::string_view>& texts);

}  // namespace holdfast::repo
