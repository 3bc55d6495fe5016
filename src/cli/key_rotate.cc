// `holdfast key rotate`.
#include <fmt/core.h>

#include "cli/json.h"
#include "cli/key_commands.h"
#include "repo/rotation.h"

namespace holdfast::cli {

namespace {

using Keys = std::vector<repo::Repository::KeyInfo>;

std::string short_id(const std::string& name) { return key_id(name).substr(0, 8); }

Words ids_of(const Keys& keys) {
  Words ids;
  for (const auto& key : keys) ids.push_back(key_id(key.name));
  return ids;
}

void tell_json(Context& context, const repo::RotationPlan& plan, const Words& made, bool dry_run) {
  JsonObject object;
  object.add("message_type", "key_rotated").add("epoch", std::uint64_t{plan.epoch});
  if (dry_run) object.add("dry_run", true);
  object.add("renewed", ids_of(plan.renewed)).add("removed", ids_of(plan.left_over));
  Words ids;
  for (const std::string& name : made) ids.push_back(key_id(name));
  object.add("made", ids).add("stale", ids_of(plan.stale));
  context.out.line(object.text());
}

// What it does and what it does not do, so that nobody relies on more.
void tell(Context& context, const repo::RotationPlan& plan, const Words& made, bool dry_run) {
  auto& out = context.out;
  out.line(fmt::format("{} the read key of epoch {}", dry_run ? "would bring in" : "brought in", plan.epoch));
  for (std::size_t i = 0; i < plan.renewed.size(); ++i) {
    const auto& key = plan.renewed[i];
    const std::string as = dry_run ? "" : ", now " + short_id(made[i]);
    out.line(fmt::format("{} key {} ({}){}", dry_run ? "would make anew" : "made anew", short_id(key.name),
                         printable(key.slot.label), as));
  }
  for (const auto& key : plan.stale) {
    out.line(
        fmt::format("key {} ({}) will not open what is written from now on: {}. `key add` another for its "
                    "holder, if he is to have one, then `key remove {}`",
                    short_id(key.name), printable(key.slot.label),
                    key.slot.kind == repo::SlotKind::password
                        ? "its password is not known here"
                        : "no administrator made it, or it was removed and put back",
                    short_id(key.name)));
  }
  out.line(
      "What is written from now on opens only for these keys and for keys made from now on. What was "
      "written before opens for whoever has kept an older key. The secrets "
      "to see which snapshots there are, to recognise chunks, to add and to forget stay the same.");
  out.line("Recovery kits made before don't open what comes after: make new ones with `holdfast key kit`.");
}

}  // namespace

Result<int> rotate(Context& context, const KeyOptions& options) {
  if (!options.words.empty()) return Error(Errc::usage, "rotate takes no words");
  const Session session = TRY(
      open_session(context, {repo::Right::admin, repo::Right::read, repo::Right::index, repo::Right::log}));
  const repo::RotationPlan plan = TRY(repo::plan_rotation(*session.repository, context.stop));
  Words made;
  if (!options.dry_run) made = TRY(repo::rotate(*session.repository, plan, context.stop));
  if (context.global.json) {
    tell_json(context, plan, made, options.dry_run);
  } else if (!context.global.quiet) {
    tell(context, plan, made, options.dry_run);
  }
  return 0;
}

}  // namespace holdfast::cli
