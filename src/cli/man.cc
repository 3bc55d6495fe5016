// Man pages in the classic man(7) macros, which every man program and mandoc read.
#include <fmt/core.h>

#include "cli/help.h"
#include "cli/wire.h"

namespace holdfast::cli {

namespace {

// Text as roff: backslashes and hyphens quoted, no line that begins like a request.
std::string roff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool at_start = out.empty() || out.back() == '\n';
    if (at_start && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  return out;
}

std::string upper(std::string text) {
  for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return text;
}

std::string page_header(const std::string& name, const std::string& summary) {
  return fmt::format(".TH \"{}\" \"1\" \"\" \"{}\" \"holdfast\"\n.SH NAME\n{} \\- {}\n", roff(upper(name)),
                     program_version(), roff(name), roff(summary));
}

std::string term(std::string_view word, std::string_view text) {
  return fmt::format(".TP\n\\fB{}\\fR\n{}\n", roff(word), roff(text));
}

std::string options_section(const char* title, const Syntax& syntax) {
  std::string out = syntax.options.empty() ? "" : fmt::format(".SH {}\n", title);
  for (const Option& option : syntax.options) {
    std::string text = option.help;
    if (!option.choices.empty()) text += fmt::format(" ({})", joined(option.choices, ", "));
    if (option.repeats()) text += "; may be repeated";
    out += fmt::format(".TP\n\\fB{}\\fR{}\n{}\n", roff(joined(option.names, ", ")),
                       option.takes_value() ? " \\fI" + roff(option.value) + "\\fR" : "", roff(text));
  }
  return out;
}

std::string explained_section(const char* title, const std::vector<Explained>& list) {
  std::string out = fmt::format(".SH {}\n", title);
  for (const Explained& entry : list) out += term(entry.word, entry.text);
  return out;
}

std::string paragraphs(std::string_view text) {
  std::string out = roff(text) + "\n";
  for (std::size_t at = out.find("\n\n"); at != out.npos; at = out.find("\n\n", at + 1))
    out.replace(at, 2, "\n.PP\n");
  return out;
}

std::string program_page() {
  std::string out = page_header("holdfast", "backup and disaster recovery");
  out +=
      ".SH SYNOPSIS\n\\fBholdfast\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR]... [\\fIARGUMENT\\fR]...\n.SH "
      "COMMANDS\n";
  for (const Command& command : commands()) out += term("holdfast-" + command.name + "(1)", command.summary);
  GlobalOptions values;
  Syntax syntax;
  declare(syntax, values);
  out += options_section("OPTIONS", syntax);
  out += explained_section("ENVIRONMENT", environment_variables());
  return out + explained_section("EXIT STATUS", exit_codes());
}

std::string command_page(const Command& command) {
  Syntax syntax;
  const Run run = command.prepare(syntax);
  std::string out = page_header("holdfast-" + command.name, command.summary);
  out += fmt::format(".SH SYNOPSIS\n{}\n", roff(usage_text(command, syntax)));
  if (!command.aliases.empty()) out += fmt::format(".PP\nAlso: {}\n", roff(joined(command.aliases, ", ")));
  if (!command.details.empty()) out += ".SH DESCRIPTION\n" + paragraphs(command.details);
  if (!syntax.arguments.empty()) out += ".SH ARGUMENTS\n";
  for (const Argument& argument : syntax.arguments) out += term(argument.name, argument.help);
  out += options_section("OPTIONS", syntax);
  return out + ".SH SEE ALSO\n\\fBholdfast\\fR(1): options of every command, environment, exit status\n";
}

}  // namespace

std::vector<std::pair<std::string, std::string>> man_pages() {
  std::vector<std::pair<std::string, std::string>> pages = {{"holdfast.1", program_page()}};
  for (const Command& command : commands()) {
    pages.emplace_back("holdfast-" + command.name + ".1", command_page(command));
  }
  return pages;
}

}  // namespace holdfast::cli
