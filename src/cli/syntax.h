// Syntax: what a command takes on its command line, as a value: options and arguments, their help, and where
// what was given goes. Parsing, --help, man pages and completion all read this one description. Targets are
// borrowed and must outlive it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace holdfast::cli {

// bool: a flag; int: a flag that counts; vector: may be repeated; the rest: the last one given counts.
using Target = std::variant<bool*, int*, std::string*, std::optional<std::string>*,
                            std::optional<std::uint64_t>*, std::vector<std::string>*>;

// What completion offers for a value.
enum class Completes : std::uint8_t { nothing, files, directories };

struct Option {
  std::vector<std::string> names;  // "-n", "--dry-run"
  std::string value;               // "N", "FILE"; empty for flags
  std::string help;
  Target target;
  std::vector<std::string> choices;  // not empty: one of these
  bool with_name = false;  // stored as "--name=value", so that options sharing a target keep their order

  bool takes_value() const { return !value.empty(); }
  bool repeats() const { return std::holds_alternative<std::vector<std::string>*>(target); }
  Completes completes() const;
};

struct Argument {
  std::string name;  // "SNAPSHOT[:PATH]"
  std::string help;
  Target target;  // std::string*: at most one word; vector: any number
  bool required = false;
  std::vector<std::string> choices;

  bool repeats() const { return std::holds_alternative<std::vector<std::string>*>(target); }
  Completes completes() const;
};

struct Syntax {
  std::vector<Option> options;
  std::vector<Argument> arguments;

  // `names` as "-n,--dry-run". The returned reference is valid until the next call.
  Option& option(std::string_view names, std::string value, Target target, std::string help);
  Option& flag(std::string_view names, Target target, std::string help);
  Argument& argument(std::string name, Target target, std::string help);
};

}  // namespace holdfast::cli
