// What the program tells of itself: version, completion scripts, man pages.
#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>

#include "base/fd.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/json.h"
#include "cli/wire.h"

namespace holdfast::cli {

void declare(Syntax&, VersionOptions&) {}

Result<int> run(Context& context, const VersionOptions&) {
  if (context.global.json) {
    const std::string version = program_version();
    JsonObject object;
    object.add("message_type", "version").add("version", version.substr(version.find(' ') + 1));
    context.out.line(object.text());
  } else {
    context.out.line(program_version());
  }
  return 0;
}

void declare(Syntax& syntax, CompletionOptions& options) {
  Argument& shell = syntax.argument("SHELL", &options.shell, "which one");
  shell.choices = {"bash", "zsh", "fish"};
  shell.required = true;
}

Result<int> run(Context& context, const CompletionOptions& options) {
  context.out.write(completion(options.shell));
  return 0;
}

void declare(Syntax& syntax, ManOptions& options) {
  syntax.argument("DIR", &options.directory, "where the pages are written to").required = true;
}

namespace {

Result<void> write_page(const std::string& path, const std::string& text) {
  const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file.valid()) return errno_error(errno, "open " + path);
  Output out(file.get());
  out.write(text);
  return out.finish();
}

}  // namespace

Result<int> run(Context& context, const ManOptions& options) {
  const auto pages = man_pages();
  for (const auto& [name, text] : pages) TRY(write_page(options.directory + "/" + name, text));
  if (!context.global.quiet) context.out.line(fmt::format("wrote {}", counted(pages.size(), "page")));
  return 0;
}

}  // namespace holdfast::cli
