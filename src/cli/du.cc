#include "flow/du.h"

#include <fmt/core.h>

#include "cli/commands.h"
#include "cli/snapshot_view.h"
#include "cli/wire.h"

namespace holdfast::cli {

void declare(Syntax& syntax, DuOptions& options) {
  syntax.argument("SNAPSHOT[:PATH]", &options.snapshot,
                  "an id or its beginning, latest, latest~2; the latest if left out");
  syntax.argument("PATH", &options.paths, "only what is there and below");
  declare_filter(syntax, options.filter);
  syntax.option("-d,--depth", "N", &options.depth,
                "tell of folders so far below the top only; 0: of the top");
  syntax.flag("-a,--all", &options.all, "tell of files, too");
  syntax.flag("--human-readable", &options.human_readable, "sizes as 1.5 MiB");
  syntax.flag("--stored", &options.stored, "also how much it takes in the repository");
  syntax.flag("--only-here", &options.only_here, "also what of that no other snapshot needs");
}

namespace {

std::vector<std::string> tops_of(const std::string& sub_path, const Words& paths) {
  if (paths.empty()) return {sub_path};
  std::vector<std::string> tops;
  for (const std::string& path : paths) tops.push_back(joined_path(sub_path, path));
  return tops;
}

// What all snapshots but this one need.
Result<model::References> needed_by_others(const repo::Repository& repository, const flow::SnapshotList& list,
                                           const repo::Snapshot& but, std::stop_token stop) {
  model::References all;
  for (const repo::Snapshot* snapshot : list.all()) {
    if (snapshot == &but) continue;
    const model::References references = TRY(repository.read_references(snapshot->commit, stop));
    model::unite(all, references);
  }
  return all;
}

std::string line_of(const DuOptions& options, std::string_view path, const flow::DuSizes& sizes) {
  const auto size = [&](std::uint64_t bytes) {
    return options.human_readable ? size_text(bytes) : std::to_string(bytes);
  };
  std::string line = size(sizes.bytes);
  if (options.stored || options.only_here) line += '\t' + size(sizes.stored_bytes);
  if (options.only_here) line += '\t' + size(sizes.only_here_bytes);
  return line + "\t/" + printable(path);
}

std::string json_of(const DuOptions& options, std::string_view path, const flow::DuSizes& sizes) {
  JsonObject object;
  object.add("message_type", "directory").add("path", "/" + std::string(path));
  object.add("total_size", sizes.bytes).add("entries", sizes.entries);
  if (options.stored || options.only_here) object.add("stored_size", sizes.stored_bytes);
  if (options.only_here) object.add("only_here_size", sizes.only_here_bytes);
  return object.text();
}

}  // namespace

Result<int> run(Context& context, const DuOptions& given) {
  DuOptions options = given;
  default_to_latest(options.snapshot, options.paths);
  const Session session = TRY(open_session(context, kReading));
  const flow::SnapshotList list = TRY(flow::SnapshotList::readable(*session.repository, context.stop));
  const flow::PickedSnapshot picked = TRY(list.pick(options.snapshot, filter_of(options.filter)));
  model::References others;
  if (options.only_here) {
    others = TRY(needed_by_others(*session.repository, list, *picked.snapshot, context.stop));
  }
  flow::DuSpec spec;
  if (options.depth) spec.depth_max = *options.depth;
  spec.files = options.all;
  spec.stored = options.stored || options.only_here;
  if (options.only_here) spec.others = &others;
  const auto tell = [&](std::string_view path, const flow::DuSizes& sizes) {
    context.out.line(context.global.json ? json_of(options, path, sizes) : line_of(options, path, sizes));
  };
  repo::ChunkReader chunks(*session.repository, list.history().log);
  for (const std::string& top : tops_of(picked.sub_path, options.paths)) {
    spec.top = top;
    for (const model::Root& root : picked.snapshot->commit.roots)
      TRY(flow::disk_usage(chunks, root, spec, tell, context.stop));
  }
  return warn_unreadable(context, list.history());
}

}  // namespace holdfast::cli
