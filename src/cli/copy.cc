#include "flow/copy.h"

#include <fmt/core.h>

#include <iterator>
#include <map>

#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/snapshot_view.h"
#include "cli/wire.h"

namespace holdfast::cli {

void declare(Syntax& syntax, CopyOptions& options) {
  syntax.argument("SNAPSHOT", &options.ids, "these; else all that the filters let through");
  syntax.option("--from-repo", "REPOSITORY", &options.from_repository, "the repository to copy from");
  syntax.option("--from-repository-file", "FILE", &options.from_repository_file,
                "a file whose first line names it");
  syntax.option("--from-password-file", "FILE", &options.from_password_file, "a file with its password");
  syntax.option("--from-password-command", "COMMAND", &options.from_password_command,
                "a shell command that prints its password");
  declare_filter(syntax, options.filter);
  syntax.option("--to-domain", "NAME", &options.to_domain,
                "copy into this key domain; default: into the one of the same name; none: into no domain");
  syntax.flag("-n,--dry-run", &options.dry_run, "only say what would be done");
}

namespace {

// By the name of the key domain that they are copied into; "": none. A copy outside of its domain would
// outlive the domain's erasure, so that has to be asked for.
Result<std::map<std::string, std::vector<const repo::Snapshot*>>> by_domain(
    const std::vector<const repo::Snapshot*>& snapshots, const std::string& wanted) {
  std::map<std::string, std::vector<const repo::Snapshot*>> out;
  for (const repo::Snapshot* snapshot : snapshots) {
    // "#1" is a number of the source: in the destination it is somebody else's.
    const bool unknown = snapshot->domain.empty() || snapshot->domain.starts_with('#');
    if (wanted.empty() && snapshot->commit.domain != 0 && unknown) {
      return Error(Errc::damaged, fmt::format("the name of the key domain of snapshot {} is not known",
                                              snapshot->id.substr(0, 8)))
          .hint("repair the source first, or say --to-domain");
    }
    const std::string domain = wanted.empty() ? snapshot->domain : wanted == "none" ? "" : wanted;
    out[domain].push_back(snapshot);
  }
  return out;
}

std::string copied_json(const flow::CopiedSnapshot& copied) {
  JsonObject object;
  object.add("message_type", "copied").add("source_snapshot", copied.from).add("snapshot_id", copied.to);
  object.add("was_there", copied.was_there)
      .add("data_blobs", copied.chunks)
      .add("data_added", copied.plain_bytes);
  return object.add("data_added_packed", copied.stored_bytes).text();
}

std::string copied_text(const flow::CopiedSnapshot& copied) {
  if (copied.was_there) return fmt::format("snapshot {} is there already", copied.from.substr(0, 8));
  return fmt::format("copied snapshot {} as {}: {} ({} stored)", copied.from.substr(0, 8),
                     copied.to.substr(0, 8), size_text(copied.plain_bytes), size_text(copied.stored_bytes));
}

}  // namespace

Result<int> run(Context& context, const CopyOptions& options) {
  const RepositoryChoice choice{options.from_repository,    options.from_repository_file,
                                options.from_password_file, options.from_password_command,
                                "HOLDFAST_FROM_",           ""};
  ProgressOptions show = TRY(progress_options(context));
  const Session from = TRY_AS(open_session(context, choice, kReading), "the repository to copy from");
  const Session to = TRY(open_session(
      context, {repo::Right::deduplicate, repo::Right::index, repo::Right::read, repo::Right::commit}));
  const flow::SnapshotList list = TRY(flow::SnapshotList::readable(*from.repository, context.stop));
  auto picked = TRY(list.pick_all(options.ids, filter_of(options.filter)));
  std::reverse(picked.begin(), picked.end());  // oldest first, as they came to be
  if (options.dry_run) {
    for (const repo::Snapshot* snapshot : picked) {
      JsonObject object;
      object.add("message_type", "would_copy").add("source_snapshot", snapshot->id);
      context.out.line(context.global.json ? object.text() : "would copy " + snapshot_line(*snapshot));
    }
    return warn_unreadable(context, list.history());
  }
  Progress progress(std::move(show), system_clock(), context.out, context.signals);
  flow::CopyReport report;
  const auto groups = TRY(by_domain(picked, options.to_domain));
  for (const auto& [domain, snapshots] : groups) {
    const auto local = TRY_AS(local_of_domain(context, to, domain), "the repository to copy to");
    flow::CopyReport part =
        TRY(flow::copy(*from.repository, snapshots, *to.repository, *local, progress, context.stop));
    std::move(part.snapshots.begin(), part.snapshots.end(), std::back_inserter(report.snapshots));
  }
  progress.finish();
  for (const flow::CopiedSnapshot& copied : report.snapshots) {
    if (context.global.json) {
      context.out.line(copied_json(copied));
    } else if (!context.global.quiet) {
      context.out.line(copied_text(copied));
    }
  }
  return progress.problems() > 0 ? exit_code(Errc::partial) : warn_unreadable(context, list.history());
}

}  // namespace holdfast::cli
