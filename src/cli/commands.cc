#include "cli/commands.h"

#include <fmt/core.h>

#include <algorithm>

#include "cli/json.h"

namespace holdfast::cli {

void declare(Syntax& syntax, GlobalOptions& options) {
  syntax.option("-r,--repo", "REPOSITORY", &options.repository, "the repository: /path or local:/path");
  syntax.option("--repository-file", "FILE", &options.repository_file, "a file whose first line names the repository");
  syntax.option("-p,--password-file", "FILE", &options.password_file, "a file with the repository's password");
  syntax.option("--password-command", "COMMAND", &options.password_command, "a shell command that prints the password");
  syntax.option("--cache-dir", "DIR", &options.cache_dir, "where caches are kept");
  syntax.flag("--no-cache", &options.no_cache, "use and keep no cache");
  syntax.flag("--json", &options.json, "write JSON");
  syntax.flag("-q,--quiet", &options.quiet, "no progress and no summary");
  syntax.flag("-v,--verbose", &options.verbose, "tell more; twice: still more");
}

namespace {

std::vector<Command> build() {
  return {
      make_command<InitOptions>({"init"}, "Make a new repository", "", &declare, &run),
      make_command<BackupOptions>({"backup", "create"}, "Back up files, folders or a stream", "", &declare, &run),
      make_command<SnapshotsOptions>({"snapshots", "list"}, "List snapshots", "", &declare, &run),
      make_command<LsOptions>({"ls"}, "List what is in a snapshot", "", &declare, &run),
  };
}

}  // namespace

const std::vector<Command>& commands() {
  static const std::vector<Command> kCommands = build();
  return kCommands;
}

const Command* find_command(std::string_view name) {
  for (const Command& command : commands()) {
    const bool alias = std::find(command.aliases.begin(), command.aliases.end(), name) != command.aliases.end();
    if (command.name == name || alias) return &command;
  }
  return nullptr;
}

int warn_unreadable(const Context& context, const repo::History& history) {
  for (const std::string& why : history.unreadable) {
    if (context.global.json) {
      const std::string inner = JsonObject().add("message", why).text();
      fmt::print(stderr, "{}\n", JsonObject().add("message_type", "error").raw("error", inner).text());
    } else {
      fmt::print(stderr, "holdfast: a snapshot may be missing here: {}\n", printable(why));
    }
  }
  return history.unreadable.empty() ? 0 : 3;
}

}  // namespace holdfast::cli
