// What a directory holds. std::filesystem's iterators are not used: those of libstdc++ 12 end the program
// where memory runs out, since it throws out of functions that are declared not to throw. For any thread.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace holdfast {

// Names but "." and "..", sorted, of the directory open at `fd` (not with O_PATH), or at `path`. Errors: of
// the system.
Result<std::vector<std::string>> names_in(int fd);
Result<std::vector<std::string>> names_in(const std::string& path);

}  // namespace holdfast
