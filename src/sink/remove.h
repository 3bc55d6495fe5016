// Listing and removing below an open directory, never through a symbolic link. For any thread.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace holdfast::sink {

// The names in the directory open at `fd` (not with O_PATH), sorted.
Result<std::vector<std::string>> names_in(int fd);

// Removes `name` in the directory open at `directory`, and all below it. Stops at the first failure. `path`
// is for messages.
Result<void> remove_tree(int directory, const std::string& name, const std::string& path);

}  // namespace holdfast::sink
