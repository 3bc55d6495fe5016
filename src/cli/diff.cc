#include "flow/diff.h"

#include <fmt/core.h>

#include "cli/commands.h"
#include "cli/snapshot_view.h"
#include "cli/wire.h"

namespace holdfast::cli {

void declare(Syntax& syntax, DiffOptions& options) {
  syntax.argument("SNAPSHOT[:PATH]", &options.from, "the earlier one").required = true;
  syntax.argument("SNAPSHOT[:PATH] ", &options.to, "the later one").required = true;
  syntax.flag("--metadata", &options.metadata,
              "also tell of changes of owner, mode, times and attributes alone");
}

namespace {

constexpr char mark(flow::Change change) {
  switch (change) {
    case flow::Change::added:
      return '+';
    case flow::Change::removed:
      return '-';
    case flow::Change::content:
      return 'M';
    case flow::Change::metadata:
      return 'U';
    case flow::Change::type:
      return 'T';
  }
  return '?';
}

std::string counts_json(const flow::DiffCounts& counts, const flow::BlobCounts& blobs) {
  JsonObject object;
  object.add("files", counts.files).add("dirs", counts.dirs).add("others", counts.others);
  object.add("data_blobs", blobs.data_blobs)
      .add("tree_blobs", blobs.tree_blobs)
      .add("bytes", blobs.plain_bytes);
  return object.text();
}

std::string summary_text(const flow::DiffReport& report, const flow::BlobCounts& added,
                         const flow::BlobCounts& removed) {
  std::string out = fmt::format("\nFiles:      {:>8} new, {:>8} removed, {:>8} changed\n", report.added.files,
                                report.removed.files, report.changed_files);
  out += fmt::format("Dirs:       {:>8} new, {:>8} removed\n", report.added.dirs, report.removed.dirs);
  out += fmt::format("Others:     {:>8} new, {:>8} removed\n", report.added.others, report.removed.others);
  out += fmt::format("Data blobs: {:>8} new, {:>8} removed\n", added.data_blobs, removed.data_blobs);
  out += fmt::format("Tree blobs: {:>8} new, {:>8} removed\n", added.tree_blobs, removed.tree_blobs);
  out += fmt::format("  Added:   {}\n  Removed: {}\n", size_text(added.plain_bytes),
                     size_text(removed.plain_bytes));
  return out;
}

}  // namespace

Result<int> run(Context& context, const DiffOptions& options) {
  const Session session = TRY(open_session(context, kReading));
  const flow::SnapshotList list = TRY(flow::SnapshotList::readable(*session.repository, context.stop));
  const flow::PickedSnapshot from = TRY(list.pick(options.from, {}));
  const flow::PickedSnapshot to = TRY(list.pick(options.to, {}));
  const bool json = context.global.json;
  if (!json && !context.global.quiet) {
    context.out.line(
        fmt::format("comparing {} to {}:\n", flow::short_id(*from.snapshot), flow::short_id(*to.snapshot)));
  }
  const auto on_change = [&](flow::Change change, std::string_view path, const model::Entry& entry) {
    const bool directory = entry.attributes.type == model::FileType::directory;
    const std::string shown = "/" + std::string(path) + (directory ? "/" : "");
    if (json) {
      JsonObject object;
      object.add("message_type", "change").add("path", shown).add("modifier", std::string(1, mark(change)));
      context.out.line(object.text());
    } else {
      context.out.line(fmt::format("{}    {}", mark(change), printable(shown)));
    }
  };
  repo::ChunkReader chunks(*session.repository, list.history().log);
  const flow::DiffSpec spec{from.sub_path, to.sub_path, options.metadata};
  const flow::DiffReport report =
      TRY(flow::diff(chunks, from.snapshot->commit, to.snapshot->commit, spec, on_change, context.stop));
  const model::References before =
      TRY(session.repository->read_references(from.snapshot->commit, context.stop));
  const model::References after = TRY(session.repository->read_references(to.snapshot->commit, context.stop));
  const flow::BlobCounts added = TRY(flow::blobs_only_in(*session.repository, after, before, context.stop));
  const flow::BlobCounts removed = TRY(flow::blobs_only_in(*session.repository, before, after, context.stop));
  if (json) {
    JsonObject object;
    object.add("message_type", "statistics").add("source_snapshot", from.snapshot->id);
    object.add("target_snapshot", to.snapshot->id).add("changed_files", report.changed_files);
    object.raw("added", counts_json(report.added, added))
        .raw("removed", counts_json(report.removed, removed));
    context.out.line(object.text());
  } else if (!context.global.quiet) {
    context.out.write(summary_text(report, added, removed));
  }
  return warn_unreadable(context, list.history());
}

}  // namespace holdfast::cli
