// Command: one verb of the program, and the table of all. A command's file gives two functions, found by the
// type of its options: declare() says what it takes, run() does it and returns the exit code (0, or 3:
// finished, but something was left out).
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/browse_options.h"
#include "cli/environment.h"
#include "cli/history_options.h"
#include "cli/key_options.h"
#include "cli/output.h"
#include "cli/rekey_options.h"
#include "cli/repair_options.h"
#include "cli/replica_options.h"
#include "cli/signals.h"
#include "cli/syntax.h"
#include "cli/upkeep_options.h"

namespace holdfast::cli {

// What every command gets. All of it outlives the command.
struct Context {
  const GlobalOptions& global;
  const Environment& environment;
  Output& out;
  Signals& signals;
  std::stop_token stop;
};

using Run = std::function<Result<int>(Context&)>;

struct Command {
  std::string name;
  std::vector<std::string> aliases;
  std::string summary;  // one line, without a full stop
  std::string details;  // paragraphs for --help and the man page; may be empty
  // Declares the command's syntax, and gives what runs it with what was parsed. The syntax is good as long as
  // the Run.
  std::function<Run(Syntax&)> prepare;
};

const std::vector<Command>& commands();
// By name or alias; null where there is none.
const Command* find_command(std::string_view name);
// The options that every command takes.
void declare(Syntax& syntax, GlobalOptions& options);

template <typename Options>
Command make_command(std::vector<std::string> names, std::string summary, std::string details,
                     void (*declare)(Syntax&, Options&), Result<int> (*run)(Context&, const Options&)) {
  Command command;
  command.name = names.front();
  command.aliases.assign(names.begin() + 1, names.end());
  command.summary = std::move(summary);
  command.details = std::move(details);
  command.prepare = [declare, run](Syntax& syntax) -> Run {
    auto options = std::make_shared<Options>();
    declare(syntax, *options);
    return [options, run](Context& context) { return run(context, *options); };
  };
  return command;
}

}  // namespace holdfast::cli
