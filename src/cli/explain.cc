#include "source/explain.h"

#include <fmt/core.h>

#include "cli/backup_input.h"
#include "cli/commands.h"
#include "cli/path_log_view.h"
#include "cli/wire.h"
#include "flow/snapshot_list.h"

namespace holdfast::cli {

void declare(Syntax& syntax, ExplainOptions& options) {
  syntax.argument("PATH", &options.path, "the file or folder in question").required = true;
  syntax.option("--of", "PATH", &options.backup.paths,
                "what the backup names: files and folders; / if left out");
  declare_filters(syntax, options.backup);
  syntax.flag("--no-snapshots", &options.no_snapshots, "don't look into the repository");
}

namespace {

std::string verdict_text(const source::Verdict& verdict, const std::string& path) {
  std::string out = fmt::format("/{}: {}", printable(path), verdict.included ? "included" : "NOT included");
  if (verdict.decided_at != path) out += fmt::format(", /{} is left out", printable(verdict.decided_at));
  if (!verdict.reason.empty()) out += ": " + printable(verdict.reason);
  return out + (verdict.present ? "\n" : "\n(there is no such file now)\n");
}

}  // namespace

Result<int> run(Context& context, const ExplainOptions& options) {
  const std::string path = tree_path(options.path);
  BackupOptions backup = options.backup;
  if (backup.paths.empty()) backup.paths = {"/"};
  const source::Roots roots = TRY(source::Roots::examine(backup.paths));
  const source::Filters filters = TRY(filters_of(backup));
  const source::Verdict verdict = TRY(source::explain(roots, filters, path));
  JsonObject object;
  object.add("message_type", "verdict").add("path", "/" + path).add("included", verdict.included);
  object.add("present", verdict.present)
      .add("decided_at", "/" + verdict.decided_at)
      .add("reason", verdict.reason);
  context.global.json ? context.out.line(object.text()) : context.out.write(verdict_text(verdict, path));
  const bool named = location_of(choice_of(context.global), context.environment).ok();
  if (options.no_snapshots || !named || path.empty()) return 0;
  const Session session = TRY(open_session(context, kReading));
  const flow::SnapshotList list = TRY(flow::SnapshotList::readable(*session.repository, context.stop));
  repo::ChunkReader chunks(*session.repository, list.history().log);
  const flow::PathLog log = TRY(flow::log_path(chunks, list.all(), path, context.stop));
  context.global.json ? context.out.line(path_log_json(log, path))
                      : context.out.write(path_log_text(log, path, true));
  if (!log.unreadable.empty()) return exit_code(Errc::damaged);
  return warn_unreadable(context, list.history());
}

}  // namespace holdfast::cli
