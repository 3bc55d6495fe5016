// Other programs: the shell command that gives a password. It gets the signals' default actions, the
// terminal, and this process's standard error. The only place of this room that starts any.
#pragma once

#include <string>

#include "base/result.h"

namespace holdfast::cli {

// All that a shell command writes to its standard output. Errc::failed where it fails or writes more than
// `bytes_max`.
Result<std::string> output_of_shell(const std::string& command, std::size_t bytes_max);

}  // namespace holdfast::cli
