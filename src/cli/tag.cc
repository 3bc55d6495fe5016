#include <fmt/core.h>

#include "cli/commands.h"
#include "cli/snapshot_view.h"
#include "cli/wire.h"
#include "flow/forget.h"

namespace holdfast::cli {

void declare(Syntax& syntax, TagOptions& options) {
  syntax.argument("SNAPSHOT", &options.ids, "these; else all that the filters let through");
  syntax.option("--add", "TAG[,TAG]", &options.add, "add these tags");
  syntax.option("--remove", "TAG[,TAG]", &options.remove, "remove these tags");
  syntax.option("--set", "TAG[,TAG]", &options.set, "these tags instead of all others; '' means none");
  declare_filter(syntax, options.filter);
  syntax.flag("-n,--dry-run", &options.dry_run, "only say what would be done");
}

namespace {

Words all_tags(const Words& lists) {
  Words tags;
  for (const std::string& list : lists) {
    for (const std::string& tag : model::parse_tag_list(list)) {
      if (!tag.empty()) tags.push_back(tag);
    }
  }
  return tags;
}

}  // namespace

Result<int> run(Context& context, const TagOptions& options) {
  if (options.add.empty() && options.remove.empty() && options.set.empty()) {
    return Error(Errc::usage, "nothing to do: give --add, --remove or --set");
  }
  if (!options.set.empty() && !(options.add.empty() && options.remove.empty())) {
    return Error(Errc::usage, "--set excludes --add and --remove");
  }
  flow::TagSpec spec;
  spec.ids = options.ids;
  spec.filter = filter_of(options.filter);
  spec.add = all_tags(options.add);
  spec.remove = all_tags(options.remove);
  if (!options.set.empty()) spec.set = all_tags(options.set);
  spec.dry_run = options.dry_run;
  const Session session = TRY(open_session(context, {repo::Right::index, repo::Right::log}));
  const std::vector<std::string> changed = TRY(flow::tag(*session.repository, spec, context.stop));
  if (context.global.json) {
    for (const std::string& id : changed) {  // unlike restic's, a snapshot keeps its id
      JsonObject object;
      object.add("message_type", "changed").add("old_snapshot_id", id).add("new_snapshot_id", id);
      context.out.line(object.text());
    }
    JsonObject summary;
    summary.add("message_type", "summary").add("changed_snapshots", changed.size());
    if (options.dry_run) summary.add("dry_run", true);
    context.out.line(summary.text());
  } else if (!context.global.quiet) {
    const char* what = options.dry_run ? "would change the tags of" : "changed the tags of";
    context.out.line(fmt::format("{} {}", what, counted(changed.size(), "snapshot")));
  }
  return 0;
}

}  // namespace holdfast::cli
