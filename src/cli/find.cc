#include "flow/find.h"

#include <fmt/core.h>

#include "cli/backup_input.h"
#include "cli/commands.h"
#include "cli/entry_view.h"
#include "cli/snapshot_view.h"
#include "cli/wire.h"

namespace holdfast::cli {

void declare(Syntax& syntax, FindOptions& options) {
  syntax.argument("PATTERN", &options.patterns, "names or paths, with wildcards as in .gitignore").required =
      true;
  syntax.option("-s,--snapshot", "SNAPSHOT", &options.snapshots, "only in this snapshot");
  declare_filter(syntax, options.filter);
  syntax.flag("-i,--ignore-case", &options.ignore_case, "don't tell upper from lower case");
  syntax.option("-O,--oldest", "TIME", &options.oldest, "only what was modified at this time or later");
  syntax.option("-N,--newest", "TIME", &options.newest, "only what was modified at this time or before");
  syntax.option("--type", "TYPE", &options.type, "only these").choices = {"file", "dir", "symlink"};
  syntax.flag("-l,--long", &options.long_format, "with mode, owner, size and time");
  syntax.flag("--human-readable", &options.human_readable, "the same, sizes as 1.5 MiB");
  syntax.flag("-R,--reverse", &options.reverse, "the oldest snapshot first");
}

namespace {

Result<flow::FindSpec> spec_of(const FindOptions& options) {
  flow::FindSpec spec;
  for (const std::string& pattern : options.patterns) {
    TRY(spec.patterns.add(pattern, "PATTERN", {.fold_case = options.ignore_case, .floating = true}));
  }
  if (!options.oldest.empty()) spec.oldest = TRY_AS(parse_time(options.oldest), "--oldest");
  if (!options.newest.empty()) spec.newest = TRY_AS(parse_time(options.newest), "--newest");
  if (options.type == "file") spec.type = model::FileType::regular;
  if (options.type == "dir") spec.type = model::FileType::directory;
  if (options.type == "symlink") spec.type = model::FileType::symlink;
  return spec;
}

}  // namespace

Result<int> run(Context& context, const FindOptions& options) {
  const flow::FindSpec spec = TRY(spec_of(options));
  const Session session = TRY(open_session(context, kReading));
  const flow::SnapshotList list = TRY(flow::SnapshotList::readable(*session.repository, context.stop));
  auto picked = TRY(list.pick_all(options.snapshots, filter_of(options.filter)));
  if (options.reverse) std::reverse(picked.begin(), picked.end());
  repo::ChunkReader chunks(*session.repository, list.history().log);
  flow::Finder finder(chunks, spec);
  std::vector<std::string> objects;
  for (const repo::Snapshot* snapshot : picked) {
    std::vector<std::string> matches;
    std::string lines;
    const auto on_match = [&](const model::Entry& entry) {
      if (context.global.json) {
        matches.push_back(entry_json(entry).text());
        return;
      }
      append_entry(lines, entry, {options.long_format, options.human_readable});
      lines += '\n';
    };
    const std::uint64_t found = TRY(finder.find(snapshot->commit, on_match, context.stop));
    if (found == 0) continue;
    if (context.global.json) {
      JsonObject object;
      object.raw("matches", json_array(matches)).add("hits", found).add("snapshot", snapshot->id);
      objects.push_back(object.text());
    } else {
      context.out.line("in " + snapshot_line(*snapshot) + ":");
      context.out.line(lines);
    }
  }
  if (context.global.json) context.out.line(json_array(objects));
  return warn_unreadable(context, list.history());
}

}  // namespace holdfast::cli
