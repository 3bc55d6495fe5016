// The program: parse, run, tell how it ended.
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <new>

#include "cli/help.h"
#include "cli/json.h"
#include "cli/parse.h"
#include "cli/wire.h"

namespace holdfast::cli {

namespace {

int report(const Error& error, bool json) {
  const int code = exit_code(error.kind());
  if (json) {
    JsonObject object;
    object.add("message_type", "exit_error").add("code", code).add("kind", word(error.kind()));
    object.add("message", error.text());
    if (!error.hint().empty()) object.add("hint", error.hint());
    fmt::print(stderr, "{}\n", object.text());
    return code;
  }
  fmt::print(stderr, "holdfast: {}\n", printable(error.text()));
  if (!error.hint().empty()) fmt::print(stderr, "hint: {}\n", printable(error.hint()));
  return code;
}

Result<int> perform(const Invocation& invocation, Output& out) {
  if (invocation.version) {
    out.line(program_version());
    return 0;
  }
  if (invocation.help) {
    out.write(invocation.command == nullptr ? program_help() : command_help(*invocation.command));
    return 0;
  }
  if (invocation.command == nullptr) {
    return Error(Errc::usage, "no command given").hint("see `holdfast --help`");
  }
  Signals signals;
  const Environment environment = Environment::of_process();
  Context context{invocation.global, environment, out, signals, signals.stop()};
  return invocation.run(context);
}

int run(const std::vector<std::string>& words) {
  const auto invocation = parse(words);
  if (!invocation.ok()) {
    const bool json = std::find(words.begin(), words.end(), "--json") != words.end();
    return report(invocation.error(), json);
  }
  Output out(STDOUT_FILENO);
  const auto done = perform(invocation.value(), out);
  const auto written = out.finish();
  if (!done.ok()) return report(done.error(), invocation.value().global.json);
  if (!written.ok()) return report(written.error(), invocation.value().global.json);
  return done.value();
}

}  // namespace

}  // namespace holdfast::cli

int main(int argc, char** argv) {
  try {
    return holdfast::cli::run(std::vector<std::string>(argv + 1, argv + std::max(argc, 1)));
  } catch (const std::bad_alloc&) {
    std::fputs("holdfast: out of memory\nhint: free memory, or give the machine more, and run again\n",
               stderr);
    return 1;
  } catch (const std::exception& error) {  // a library broke its word
    std::fprintf(stderr, "holdfast: %s\n", error.what());
    return 1;
  }
}
