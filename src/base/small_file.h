// Small files that this machine keeps for itself: read whole, and replaced whole or not at all, also where
// the power fails. For any thread and process; who replaces a file that others replace too keeps them out.
#pragma once

#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace holdfast {

// Nothing where there is no such file. An error where it has more than `bytes_max`.
Result<std::optional<Buffer>> read_small_file(const std::string& path, std::uint64_t bytes_max);

// Durable when this returns. Only its owner may read it.
Result<void> replace_small_file(const std::string& path, Bytes bytes);

}  // namespace holdfast
