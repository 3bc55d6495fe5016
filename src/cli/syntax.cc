#include "cli/syntax.h"

namespace holdfast::cli {

namespace {

Completes completion_of(std::string_view value) {
  if (value.starts_with("DIR")) return Completes::directories;
  if (value.starts_with("FILE") || value.starts_with("PATH") || value == "REPOSITORY")
    return Completes::files;
  return Completes::nothing;
}

}  // namespace

Completes Option::completes() const { return completion_of(value); }
Completes Argument::completes() const { return completion_of(name); }

Option& Syntax::option(std::string_view names, std::string value, Target target, std::string help) {
  Option option;
  for (std::size_t at = 0; at <= names.size();) {
    const std::size_t comma = std::min(names.find(',', at), names.size());
    option.names.emplace_back(names.substr(at, comma - at));
    at = comma + 1;
  }
  option.value = std::move(value);
  option.help = std::move(help);
  option.target = target;
  options.push_back(std::move(option));
  return options.back();
}

Option& Syntax::flag(std::string_view names, Target target, std::string help) {
  return option(names, "", target, std::move(help));
}

Argument& Syntax::argument(std::string name, Target target, std::string help) {
  Argument argument;
  argument.name = std::move(name);
  argument.help = std::move(help);
  argument.target = target;
  arguments.push_back(std::move(argument));
  return arguments.back();
}

}  // namespace holdfast::cli
