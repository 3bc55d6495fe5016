#include "cli/help.h"

#include <fmt/core.h>

namespace holdfast::cli {

namespace {

constexpr std::size_t kWidth = 100;
constexpr std::size_t kColumn = 30;

// The options of every command.
struct Described {
  Described() { declare(syntax, values); }
  GlobalOptions values;
  Syntax syntax;
};

std::string definition(const std::string& word, const std::string& text) {
  const std::string body = wrapped(text, kWidth, kColumn);
  if (word.size() + 4 > kColumn) return "  " + word + "\n" + body;
  return fmt::format("  {:<{}}", word, kColumn - 2) + body.substr(std::min(kColumn, body.size()));
}

std::string option_text(const Option& option) {
  std::string text = option.help;
  if (!option.choices.empty()) text += fmt::format(" ({})", joined(option.choices, ", "));
  if (option.repeats()) text += "; may be repeated";
  return definition(names_text(option), text);
}

std::string options_text(const char* title, const Syntax& syntax) {
  std::string out = syntax.options.empty() ? "" : fmt::format("\n{}:\n", title);
  for (const Option& option : syntax.options) out += option_text(option);
  return out;
}

}  // namespace

std::string wrapped(std::string_view text, std::size_t width, std::size_t indent) {
  std::string out;
  while (!text.empty()) {
    const std::size_t newline = std::min(text.find('\n'), text.size());
    std::string line;
    std::string_view paragraph = text.substr(0, newline);
    text.remove_prefix(std::min(newline + 1, text.size()));
    while (!paragraph.empty()) {
      const std::size_t space = std::min(paragraph.find(' '), paragraph.size());
      const std::string_view word = paragraph.substr(0, space);
      paragraph.remove_prefix(std::min(space + 1, paragraph.size()));
      if (!line.empty() && indent + line.size() + 1 + word.size() > width) {
        out += std::string(indent, ' ') + line + "\n";
        line.clear();
      }
      line += (line.empty() ? "" : " ") + std::string(word);
    }
    out += line.empty() ? "\n" : std::string(indent, ' ') + line + "\n";
  }
  return out.empty() ? "\n" : out;
}

std::string names_text(const Option& option) {
  const bool only_long = option.names.front().starts_with("--");
  std::string out = (only_long ? "    " : "") + joined(option.names, ", ");
  if (option.takes_value()) out += " " + option.value;
  return out;
}

std::string usage_text(const Command& command, const Syntax& syntax) {
  std::string out = "holdfast " + command.name + " [OPTION]…";
  for (const Argument& argument : syntax.arguments) {
    out += " " + (argument.required ? argument.name : "[" + argument.name + "]") +
           (argument.repeats() ? "…" : "");
  }
  return out;
}

std::string program_help() {
  std::string out =
      "holdfast: backups that hold\n\nUsage: holdfast COMMAND [OPTION]… [ARGUMENT]…\n\nCommands:\n";
  for (const Command& command : commands()) out += definition(command.name, command.summary);
  const Described global;
  out += options_text("Options of every command", global.syntax);
  return out +
         "\n`holdfast COMMAND --help` tells more; `man holdfast` tells the environment and exit codes.\n";
}

std::string command_help(const Command& command) {
  Syntax syntax;
  const Run run = command.prepare(syntax);
  std::string out = fmt::format("{}\n\nUsage: {}\n", command.summary, usage_text(command, syntax));
  if (!command.aliases.empty()) out += fmt::format("Also:  {}\n", joined(command.aliases, ", "));
  if (!command.details.empty()) out += "\n" + wrapped(command.details, kWidth, 0);
  if (!syntax.arguments.empty()) out += "\nArguments:\n";
  for (const Argument& argument : syntax.arguments) {
    const std::string choices =
        argument.choices.empty() ? "" : fmt::format(" ({})", joined(argument.choices, ", "));
    out += definition(argument.name, argument.help + choices);
  }
  out += options_text("Options", syntax);
  const Described global;
  return out + options_text("Options of every command", global.syntax);
}

const std::vector<Explained>& environment_variables() {
  static const std::vector<Explained> kVariables = {
      {"HOLDFAST_REPOSITORY", "the repository, as --repo"},
      {"HOLDFAST_REPOSITORY_FILE", "a file whose first line names the repository"},
      {"HOLDFAST_PASSWORD", "the password"},
      {"HOLDFAST_PASSWORD_FILE", "a file with the password"},
      {"HOLDFAST_PASSWORD_COMMAND", "a shell command that prints the password"},
      {"HOLDFAST_KEY_FILE", "a recipient's secret key, as --key-file"},
      {"HOLDFAST_CACHE_DIR", "where caches are kept; else $XDG_CACHE_HOME/holdfast or ~/.cache/holdfast"},
      {"HOLDFAST_STATE_DIR",
       "where it is remembered what was seen of repositories; else beside a cache folder that is named, "
       "$XDG_STATE_HOME/holdfast or ~/.local/state/holdfast"},
      {"HOLDFAST_HOST", "the name of this machine in snapshots"},
      {"HOLDFAST_COMPRESSION", "as --compression of backup"},
      {"HOLDFAST_READ_CONCURRENCY", "as --read-concurrency of backup"},
      {"HOLDFAST_PROGRESS_FPS", "how often progress is shown a second, 0 to 60; 0: never"},
      {"HOLDFAST_FROM_REPOSITORY, HOLDFAST_FROM_PASSWORD, …", "the same for the repository that copy reads"},
  };
  return kVariables;
}

const std::vector<Explained>& exit_codes() {
  static const std::vector<Explained> kCodes = {
      {"0", "done"},
      {"1", "failed"},
      {"2", "the command line or the environment is wrong"},
      {"3", "done, but something was left out: a file could not be read, an object could not be looked at"},
      {"10", "there is no repository"},
      {"11", "somebody else changed the repository at the same moment"},
      {"12", "the password opens no key"},
      {"13", "damage was found"},
      {"14", "a guard stopped it: the source vanished, or everything would be removed"},
      {"15", "no space left"},
      {"16", "the store can't be reached"},
      {"17", "the store forbids it: the object is immutable"},
      {"130", "stopped by a signal"},
  };
  return kCodes;
}

}  // namespace holdfast::cli
