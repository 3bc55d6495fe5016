// The description of the program in every form: --help, man pages, shell completion. All from the commands'
// Syntax.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cli/command.h"

namespace holdfast::cli {

// `holdfast --help`.
std::string program_help();
// `holdfast COMMAND --help`.
std::string command_help(const Command& command);

// File name and text of each page: holdfast.1, holdfast-backup.1, …
std::vector<std::pair<std::string, std::string>> man_pages();

// `shell` is bash, zsh or fish.
std::string completion(const std::string& shell);

// The environment variables that the program reads, and what its exit codes mean.
struct Explained {
  std::string word;
  std::string text;
};
const std::vector<Explained>& environment_variables();
const std::vector<Explained>& exit_codes();

// Parts of all forms. "-n, --dry-run", "--host HOST", "holdfast ls [OPTION]… SNAPSHOT [PATH]…".
std::string names_text(const Option& option);
std::string usage_text(const Command& command, const Syntax& syntax);
// Text in lines of at most `width` columns, each after `indent` spaces.
std::string wrapped(std::string_view text, std::size_t width, std::size_t indent);

}  // namespace holdfast::cli
