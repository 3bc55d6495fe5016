// Removing below an open directory, never through a symbolic link. For any thread.
#pragma once

#include <string>

#include "base/result.h"

namespace holdfast::sink {

// Removes `name` in the directory open at `directory`, and all below it. Stops at the first failure. `path`
// is for messages.
Result<void> remove_tree(int directory, const std::string& name, const std::string& path);

}  // namespace holdfast::sink
