// Completion scripts for bash, zsh and fish.
#include <fmt/core.h>

#include "cli/help.h"

namespace holdfast::cli {

namespace {

struct Described {
  explicit Described(const Command& command)
      : name(command.name), aliases(command.aliases), summary(command.summary) {
    run = command.prepare(syntax);
  }
  std::string name;
  std::vector<std::string> aliases;
  std::string summary;
  Syntax syntax;
  Run run;
};

struct Program {
  Program() {
    declare(global, values);
    for (const Command& command : cli::commands()) commands.emplace_back(command);
  }
  GlobalOptions values;
  Syntax global;
  std::vector<Described> commands;
};

std::string all_names(const Syntax& syntax) {
  std::string out;
  for (const Option& option : syntax.options) out += " " + joined(option.names, " ");
  return out;
}

// Options with a value: what bash offers for it.
std::string bash_values(const Syntax& syntax) {
  std::string out;
  for (const Option& option : syntax.options) {
    if (!option.takes_value()) continue;
    std::string action = "return";
    if (!option.choices.empty()) {
      action =
          fmt::format("COMPREPLY=($(compgen -W \"{}\" -- \"$word\")); return", joined(option.choices, " "));
    } else if (option.completes() == Completes::files) {
      action = "COMPREPLY=($(compgen -f -- \"$word\")); return";
    } else if (option.completes() == Completes::directories) {
      action = "COMPREPLY=($(compgen -d -- \"$word\")); return";
    }
    out += fmt::format("    {}) {} ;;\n", joined(option.names, "|"), action);
  }
  return out;
}

std::string bash_words(const Described& command) {
  std::string words;
  for (const Argument& argument : command.syntax.arguments) {
    if (!argument.choices.empty()) words += " " + joined(argument.choices, " ");
  }
  return words;
}

std::string bash(const Program& program) {
  std::string names;
  for (const Described& command : program.commands) names += (names.empty() ? "" : " ") + command.name;
  std::string out =
      "# bash completion for holdfast\n_holdfast() {\n"
      "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command= i\n"
      "  COMPREPLY=()\n  for ((i = 1; i < COMP_CWORD; i++)); do\n    case ${COMP_WORDS[i]} in\n";
  for (const Described& command : program.commands) {
    std::vector<std::string> all = command.aliases;
    all.insert(all.begin(), command.name);
    out += fmt::format("      {}) command={}; break ;;\n", joined(all, "|"), command.name);
  }
  out += "    esac\n  done\n  case $before in\n" + bash_values(program.global) + "  esac\n";
  out += "  local options=\"" + all_names(program.global).substr(1) + " -h --help\" words=\n";
  out += fmt::format("  if [[ -z $command ]]; then\n    words=\"{}\"\n  fi\n  case $command in\n", names);
  for (const Described& command : program.commands) {
    out += fmt::format("  {})\n    case $before in\n{}    esac\n    options+=\"{}\" words=\"{}\" ;;\n",
                       command.name, bash_values(command.syntax), all_names(command.syntax),
                       bash_words(command));
  }
  return out +
         "  esac\n  if [[ $word == -* ]]; then\n    COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
         "  elif [[ -n $words ]]; then\n    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
         "  else\n    COMPREPLY=($(compgen -f -- \"$word\"))\n  fi\n}\n"
         "complete -o filenames -F _holdfast holdfast\n";
}

// Text within single quotes of a shell.
std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// Text within the [brackets] of a zsh option.
std::string zsh_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string zsh_values(const std::vector<std::string>& choices, Completes completes) {
  if (!choices.empty()) return "(" + joined(choices, " ") + ")";
  if (completes == Completes::files) return "_files";
  return completes == Completes::directories ? "_files -/" : " ";
}

std::string zsh_options(const Syntax& syntax) {
  std::string out;
  for (const Option& option : syntax.options) {
    for (const std::string& name : option.names) {
      std::string spec = "*" + name + "[" + zsh_text(option.help) + "]";
      if (option.takes_value()) {
        spec += ":" + zsh_text(option.value) + ":" + zsh_values(option.choices, option.completes());
      }
      out += " \\\n        " + quoted(spec);
    }
  }
  return out;
}

std::string zsh(const Program& program) {
  std::string out = "#compdef holdfast\n_holdfast() {\n  local context state line\n  typeset -A opt_args\n";
  out += "  local -a commands=(\n";
  for (const Described& command : program.commands) {
    out += "    " + quoted(command.name + ":" + zsh_text(command.summary)) + "\n";
  }
  out += "  )\n  _arguments -C" + zsh_options(program.global) +
         " \\\n        '1:command:->command' '*::argument:->argument'\n"
         "  case $state in\n  command) _describe command commands ;;\n  argument)\n    case $words[1] in\n";
  for (const Described& command : program.commands) {
    std::vector<std::string> all = command.aliases;
    all.insert(all.begin(), command.name);
    out += fmt::format("    {})\n      _arguments{}{}", joined(all, "|"), zsh_options(program.global),
                       zsh_options(command.syntax));
    for (const Argument& argument : command.syntax.arguments) {
      std::string values = zsh_values(argument.choices, argument.completes());
      out += " \\\n        " +
             quoted((argument.repeats() ? "*:" : ":") + zsh_text(argument.name) + ":" + std::move(values));
    }
    out += " ;;\n";
  }
  return out + "    esac ;;\n  esac\n}\n_holdfast \"$@\"\n";
}

std::string fish_options(const Syntax& syntax, const std::string& condition) {
  std::string out;
  for (const Option& option : syntax.options) {
    out += "complete -c holdfast" + condition;
    for (const std::string& name : option.names) {
      out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
    }
    if (option.takes_value()) out += " -r";
    if (!option.choices.empty()) out += " -f -a " + quoted(joined(option.choices, " "));
    if (option.takes_value() && option.choices.empty() && option.completes() == Completes::nothing)
      out += " -f";
    out += " -d " + quoted(option.help) + "\n";
  }
  return out;
}

std::string fish(const Program& program) {
  std::string out = "# fish completion for holdfast\n";
  for (const Described& command : program.commands) {
    out += fmt::format("complete -c holdfast -n __fish_use_subcommand -f -a {} -d {}\n", command.name,
                       quoted(command.summary));
  }
  out += fish_options(program.global, "");
  for (const Described& command : program.commands) {
    std::vector<std::string> all = command.aliases;
    all.insert(all.begin(), command.name);
    const std::string condition = " -n '__fish_seen_subcommand_from " + joined(all, " ") + "'";
    out += fish_options(command.syntax, condition);
    for (const Argument& argument : command.syntax.arguments) {
      if (argument.choices.empty()) continue;
      out += "complete -c holdfast" + condition + " -f -a " + quoted(joined(argument.choices, " ")) + "\n";
    }
  }
  return out;
}

}  // namespace

std::string completion(const std::string& shell) {
  const Program program;
  if (shell == "zsh") return zsh(program);
  return shell == "fish" ? fish(program) : bash(program);
}

}  // namespace holdfast::cli
