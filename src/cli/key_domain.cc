// `holdfast key domain`.
#include <fmt/core.h>

#include "cli/commands.h"
#include "cli/json.h"
#include "cli/key_commands.h"
#include "cli/snapshot_view.h"
#include "flow/key_domains.h"

namespace holdfast::cli {

namespace {

Result<int> list(Context& context, const repo::Repository& repository) {
  const repo::History history = TRY(repository.readable_history(context.stop));
  const auto domains = TRY(flow::list_domains(repository, history.log, context.stop));
  std::map<model::Domain, std::uint64_t> snapshots;
  for (const repo::Snapshot* snapshot : history.snapshots()) ++snapshots[snapshot->commit.domain];
  std::vector<std::string> objects;
  Table table({"Number", "Name", "Created", ">Snapshots", "State"});
  bool lost = false;
  for (const flow::KeyDomain& domain : domains) {
    JsonObject object;
    object.add("number", domain.number).add("name", domain.name).add("created", time_text(domain.created));
    if (domain.erased) object.add("erased", time_text(*domain.erased));
    if (!domain.trouble.empty()) object.add("error", domain.trouble);
    objects.push_back(object.add("snapshots", snapshots[domain.number]).text());
    const std::string state = domain.erased            ? "erased " + time_text(*domain.erased)
                              : domain.trouble.empty() ? ""
                                                       : "LOST: " + printable(domain.trouble);
    table.row({fmt::format("#{}", domain.number), printable(domain.name), time_text(domain.created),
               fmt::format("{}", snapshots[domain.number]), state});
    lost = lost || !domain.trouble.empty();
  }
  context.global.json ? context.out.line(json_array(objects)) : context.out.write(table.text());
  const int told = warn_unreadable(context, history);
  return lost ? exit_code(Errc::damaged) : told;
}

Result<int> add(Context& context, const repo::Repository& repository, const KeyOptions& options) {
  const flow::KeyDomain made =
      TRY(flow::add_domain(repository, options.words[1], options.dry_run, context.stop));
  if (context.global.json) {
    JsonObject object;
    object.add("message_type", "domain_added").add("number", made.number).add("name", made.name);
    context.out.line(object.add("dry_run", options.dry_run).text());
  } else if (!context.global.quiet) {
    context.out.line(fmt::format("{} key domain #{} {}", options.dry_run ? "would add" : "added", made.number,
                                 printable(made.name)));
  }
  return 0;
}

void tell_erasure(Context& context, const flow::Erasure& erasure, bool dry_run) {
  if (context.global.json) {
    std::vector<std::string> ids;
    for (const repo::Snapshot* snapshot : erasure.snapshots) ids.push_back(snapshot->id);
    JsonObject object;
    object.add("message_type", "domain_erased").add("number", erasure.domain.number);
    if (erasure.domain.erased) object.add("erased", time_text(*erasure.domain.erased));
    context.out.line(object.add("snapshots", ids).add("dry_run", dry_run).text());
    return;
  }
  if (context.global.quiet) return;
  const std::string label = printable(erasure.domain.label());
  if (erasure.finished_before) {
    context.out.line(fmt::format("key domain {} was erased {}", label, time_text(*erasure.domain.erased)));
    return;
  }
  for (const repo::Snapshot* snapshot : erasure.snapshots)
    context.out.line((dry_run ? "would lose " : "lost ") + snapshot_line(*snapshot));
  context.out.line(fmt::format("{} key domain {} with {}", dry_run ? "would erase" : "erased", label,
                               counted(erasure.snapshots.size(), "snapshot")));
  if (dry_run) return;
  context.out.line("`holdfast prune` frees the space; `holdfast mirror` destroys the secret in each copy");
  context.out.line(
      "copies of the store that were made otherwise, or that keep removed objects, still hold the secret: "
      "whoever has one of them and a key reads what was erased");
}

}  // namespace

Result<int> manage_domains(Context& context, const KeyOptions& options) {
  const std::string what = options.words.empty() ? "list" : options.words.front();
  const bool takes_name = what == "add" || what == "erase";
  if ((!takes_name && what != "list") || options.words.size() > (takes_name ? 2 : 1) ||
      (takes_name && options.words.size() != 2)) {
    return Error(Errc::usage, "what to do with key domains?")
        .hint("key domain list, key domain add NAME, or key domain erase NAME");
  }
  const Session session = TRY(open_session(context, {repo::Right::index}));
  if (what == "list") return list(context, *session.repository);
  if (what == "add") return add(context, *session.repository, options);
  flow::EraseSpec spec{options.words[1], options.confirm,
                       cache_directory(context.global, context.environment), options.dry_run};
  const flow::Erasure erasure = TRY(flow::erase_domain(*session.repository, spec, context.stop));
  tell_erasure(context, erasure, options.dry_run);
  return 0;
}

}  // namespace holdfast::cli
