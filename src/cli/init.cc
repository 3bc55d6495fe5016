#include <fmt/core.h>

#include "cli/commands.h"
#include "cli/json.h"
#include "cli/wire.h"

namespace holdfast::cli {

void declare(Syntax& syntax, InitOptions& options) {
  syntax.option("--from-repo", "REPOSITORY", &options.like,
                "share chunking with this repository, so that copy between the two needs not cut anew");
  syntax.option("--from-password-file", "FILE", &options.like_password_file,
                "file with that repository's password");
  syntax.flag("-n,--dry-run", &options.dry_run, "only say what would be done");
}

namespace {

Result<std::optional<Session>> open_like(const Context& context, const InitOptions& options) {
  if (options.like.empty()) return std::optional<Session>();
  const RepositoryChoice choice{options.like, "", options.like_password_file, "", "HOLDFAST_FROM_", ""};
  Session session = TRY_AS(open_session(context, choice, {repo::Right::deduplicate}), options.like);
  return std::optional<Session>(std::move(session));
}

Result<int> dry(const Context& context, const std::string& location) {
  const auto storage = open_storage(context.global, context.environment, location, storage::IfMissing::fail);
  if (storage.ok() && storage.value()->stat(repo::kConfigName, context.stop).ok()) {
    return Error(Errc::exists, fmt::format("{} holds a repository already", location));
  }
  context.out.line(fmt::format("would make a repository in {}", printable(location)));
  return 0;
}

}  // namespace

Result<int> run(Context& context, const InitOptions& options) {
  const RepositoryChoice choice = choice_of(context.global);
  const std::string location = TRY(location_of(choice, context.environment));
  if (options.dry_run) return dry(context, location);
  const auto like = TRY(open_like(context, options));
  const auto storage =
      TRY(open_storage(context.global, context.environment, location, storage::IfMissing::create));
  const auto present = storage->stat(repo::kConfigName, context.stop);
  if (present.ok()) return Error(Errc::exists, fmt::format("{} holds a repository already", location));
  const Password password = TRY(password_of(context, choice, location, true));
  repo::CreateOptions create;
  create.label = user_name() + "@" + host_name(context.environment);
  create.specification = specification();
  if (like) {
    create.chunks_like = &like->repository->config();
    create.content_like = &*like->repository->secrets().content;
  }
  TRY(repo::Repository::create(doors_of(*storage), password.bytes(), create, context.stop));
  const auto repository = TRY(repo::Repository::open(doors_of(*storage), password.bytes(), context.stop));
  const std::string id = hex(repository->config().id);
  if (context.global.json) {
    context.out.line(
        JsonObject().add("message_type", "initialized").add("id", id).add("repository", location).text());
  } else if (!context.global.quiet) {
    context.out.line(fmt::format("made repository {} in {}", id.substr(0, 10), printable(location)));
    context.out.line("Keep the password safe: without it nothing can ever be read again.");
  }
  return 0;
}

}  // namespace holdfast::cli
