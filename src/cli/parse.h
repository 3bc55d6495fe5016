// The command line, parsed: which command, the global options, and what runs it. The only user of CLI11.
#pragma once

#include <string>
#include <vector>

#include "cli/command.h"

namespace holdfast::cli {

struct Invocation {
  const Command* command = nullptr;  // null: only global options were given
  GlobalOptions global;
  Run run;
  bool help = false;
  bool version = false;
};

// `words` without the program's name. Errc::usage.
Result<Invocation> parse(const std::vector<std::string>& words);

// Parses the words of one command into `syntax`. Errc::usage. For tests of a command's options.
Result<void> parse_into(const Syntax& syntax, const std::vector<std::string>& words);

}  // namespace holdfast::cli
