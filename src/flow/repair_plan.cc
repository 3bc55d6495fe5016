#include <fmt/core.h>

#include "flow/check_survey.h"
#include "flow/repair.h"
#include "flow/repair_look.h"
#include "repo/rights.h"

namespace holdfast::flow {

using model::PackId;
using repo::Vital;

namespace {

using Step = RepairPlan::Step;

class Planner {
 public:
  Planner(const repo::Repository& repository, const RepairOptions& options, Observer& observer,
          RepairPlan& plan)
      : repository_(repository), options_(options), observer_(observer), plan_(plan) {}

  Result<void> run(std::stop_token stop);

 private:
  bool plan_fetch(const std::string& object, const std::string& why, std::stop_token stop);
  Result<void> plan_small(const Finding& finding, std::stop_token stop);
  Result<void> plan_pack(PackPlan pack, std::stop_token stop);
  Result<std::optional<Look>> look_here(PackPlan& pack, model::Slots& kept, std::stop_token stop);
  Result<bool> plan_from_replica(const PackPlan& pack, const Look& here, const model::Slots& kept,
                                 std::stop_token stop);
  Result<void> plan_fillings(std::stop_token stop);
  Result<void> choose(std::vector<PackPlan>& packs) const;
  void note_found(const PackPlan& pack, const Look& here);
  void add(Step step);
  void stays(Severity severity, const PackPlan& pack, std::string text, bool wanted = false);

  const repo::Repository& repository_;
  const RepairOptions& options_;
  Observer& observer_;
  std::mutex mutex_;  // guards what follows
  RepairPlan& plan_;
  repo::LogState log_;
  // What nobody can replace, of packs that are to be told of.
  struct Beyond {
    PackPlan pack;
    Look look;
  };
  std::vector<Beyond> beyond_;
};

void Planner::add(Step step) {
  const std::lock_guard lock(mutex_);
  plan_.steps.push_back(std::move(step));
}

void Planner::stays(Severity severity, const PackPlan& pack, std::string text, bool wanted) {
  const std::lock_guard lock(mutex_);
  plan_.stays.push_back({severity,
                         "pack",
                         repo::pack_name(pack.object.id, pack.object.generation),
                         {},
                         std::move(text),
                         wanted});
}

// Errc::not_found for a pack that was named and that there need not be.
Result<void> Planner::choose(std::vector<PackPlan>& packs) const {
  if (options_.packs.empty()) return {};
  std::vector<PackPlan> chosen;
  for (const PackId& id : options_.packs) {
    const auto at =
        std::find_if(packs.begin(), packs.end(), [&](const PackPlan& plan) { return plan.object.id == id; });
    if (at == packs.end()) {
      return Error(Errc::not_found, fmt::format("no snapshot that there is has a pack {}", repo::text(id)));
    }
    chosen.push_back(*at);
  }
  packs = std::move(chosen);
  return {};
}

Result<void> Planner::run(std::stop_token stop) {
  SilentObserver silent;
  CheckFindings findings(silent);
  CheckReport counts;
  Survey found = TRY(survey(repository_, findings, counts, stop));
  for (const Finding& finding : findings.take()) {
    if (finding.kind != "pack") TRY(plan_small(finding, stop));
  }
  TRY(choose(found.packs));
  log_ = std::move(found.log);
  plan_.packs = found.packs.size();
  Progress progress;
  progress.files_total = found.packs.size();
  const auto task = [&](std::size_t i, std::stop_token inner) -> Result<void> {
    TRY(plan_pack(found.packs[i], inner));
    const std::lock_guard lock(mutex_);
    ++progress.files_done;
    progress.bytes_done = plan_.bytes_read;
    observer_.progress(progress, repo::pack_name(found.packs[i].object.id, 0));
    return {};
  };
  TRY(for_each_of(found.packs.size(), worker_count(options_.workers), task, stop));
  TRY(plan_fillings(stop));
  std::sort(plan_.steps.begin(), plan_.steps.end(),
            [](const Step& a, const Step& b) { return a.object < b.object; });
  std::sort(plan_.stays.begin(), plan_.stays.end(), [](const Finding& a, const Finding& b) {
    return std::tie(a.object, a.text) < std::tie(b.object, b.text);
  });
  return {};
}

// The pack as it is: whatever seems wrong may have been moved or removed by a prune since the log was read.
// Nothing where it is gone altogether.
Result<std::optional<Look>> Planner::look_here(PackPlan& pack, model::Slots& kept, std::stop_token stop) {
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      kept = kept_of(pack, log_);
    }
    Look here = TRY(look_at(repository_.storage(), repository_, pack, pack.object.generation, kept, stop));
    if (here.usable()) return std::optional(std::move(here));
    const std::lock_guard lock(mutex_);
    const bool followed = repository_.log().follow(log_, stop).ok();
    const auto now = log_.generation(pack.object.id);
    if (followed && !now) return std::optional<Look>();
    if (!followed || *now <= pack.object.generation) return std::optional(std::move(here));
    pack.object.generation = *now;
  }
}

Result<void> Planner::plan_pack(PackPlan pack, std::stop_token stop) {
  model::Slots kept;
  auto looked = TRY(look_here(pack, kept, stop));
  if (!looked) return {};
  const Look& here = *looked;
  {
    const std::lock_guard lock(mutex_);
    plan_.bytes_read += here.bytes;
  }
  if (here.unreachable) {
    stays(Severity::unreachable, pack, here.unreachable->text());
    return {};
  }
  if (here.usable()) note_found(pack, here);
  if (here.wrong.empty()) return {};
  if (here.usable()) {
    add({RepairPlan::Action::rewrite, repo::pack_name(pack.object.id, pack.object.generation), pack.object.id,
         pack.object.generation, false, pack.root, here.bytes, here.wrong});
    return {};
  }
  const bool replaced = TRY(plan_from_replica(pack, here, kept, stop));
  if (replaced) return {};
  note_found(pack, here);
  const std::lock_guard lock(mutex_);
  model::Slots fresh = here.lost_slots;
  fresh.remove(log_.lost_of(pack.object.id));
  if (!fresh.empty()) plan_.lost[pack.object.id] = {pack.object.generation, std::move(fresh)};
  beyond_.push_back({std::move(pack), *std::move(looked)});
  return {};
}

// What is on the wanted list and yet here.
void Planner::note_found(const PackPlan& pack, const Look& here) {
  const std::lock_guard lock(mutex_);
  model::Slots again = log_.lost_of(pack.object.id);
  again.remove(here.lost_slots);
  if (!again.empty()) plan_.found[pack.object.id] = {pack.object.generation, std::move(again)};
}

// What was lost and stored again since; and what stays lost.
Result<void> Planner::plan_fillings(std::stop_token stop) {
  model::References lost;
  for (const Beyond& b : beyond_) lost[b.pack.object.id] = b.look.lost_slots;
  std::map<PackId, std::shared_ptr<const Filling>> fillings;
  const repo::Secrets& secrets = repository_.secrets();
  if (secrets.read && secrets.content) {
    std::vector<Filling> found = TRY(find_fillings(repository_, log_, lost, stop));
    for (Filling& filling : found)
      fillings[filling.pack] = std::make_shared<const Filling>(std::move(filling));
  }
  for (const Beyond& b : beyond_) {
    const auto at = fillings.find(b.pack.object.id);
    model::Slots left = b.look.lost_slots;
    if (at != fillings.end()) {
      model::Slots again;
      for (const auto& [slot, places] : at->second->sources) again.insert(slot);
      left.remove(again);
      const std::string why =
          fmt::format("{} of {} lost chunks were stored again", again.count(), b.look.lost_slots.count());
      plan_.steps.push_back({RepairPlan::Action::fill,
                             repo::pack_name(b.pack.object.id, b.pack.object.generation), b.pack.object.id,
                             b.pack.object.generation, false, b.pack.root, b.look.bytes, why, at->second});
      if (!left.intersects(b.pack.needed)) continue;
    }
    const bool wanted = !b.look.lost_slots.empty();
    stays(Severity::damaged, b.pack,
          b.look.lost + (wanted
                             ? fmt::format("; {} chunks are wanted: the next backup that meets one stores it "
                                           "again",
                                           left.count())
                             : ""),
          wanted);
  }
  return {};
}

// The replica may be a little behind: it may have the pack in an earlier generation, which has all that ours
// had.
Result<bool> Planner::plan_from_replica(const PackPlan& pack, const Look& here, const model::Slots& kept,
                                        std::stop_token stop) {
  if (options_.replica == nullptr) return false;
  std::vector<std::uint32_t> generations{pack.object.generation};
  std::string prefix = repo::pack_name(pack.object.id, 0);
  prefix.pop_back();  // the generation
  TRY_AS(options_.replica->list(
             prefix,
             [&](const storage::ObjectInfo& info) -> Result<void> {
               const auto object = repo::parse_pack_name(info.name);
               if (object && object->generation < pack.object.generation)
                 generations.push_back(object->generation);
               return {};
             },
             stop),
         "the replica");
  for (const std::uint32_t generation : generations) {
    const Look there = TRY(look_at(*options_.replica, repository_, pack, generation, kept, stop));
    if (!there.usable()) continue;
    Step step{RepairPlan::Action::rewrite,
              repo::pack_name(pack.object.id, generation),
              pack.object.id,
              generation,
              true,
              pack.root,
              there.bytes,
              here.wrong};
    const bool verbatim = here.gone && there.wrong.empty() && generation == pack.object.generation;
    if (verbatim) step.action = RepairPlan::Action::fetch;
    add(std::move(step));
    return true;
  }
  return false;
}

// Whether the object is missing here, and the replica has it: then that is planned.
bool Planner::plan_fetch(const std::string& object, const std::string& why, std::stop_token stop) {
  const bool planned = std::any_of(plan_.steps.begin(), plan_.steps.end(),
                                   [&](const Step& step) { return step.object == object; });
  if (planned) return true;
  const auto here = repository_.storage().stat(object, stop);
  if (here.ok() || here.error().kind() != Errc::not_found) return false;
  const auto there = options_.replica->stat(object, stop);
  if (!there.ok()) return false;
  add({RepairPlan::Action::fetch, object, std::nullopt, 0, true, {}, there.value().size_bytes, why});
  return true;
}

// What of a repository's small objects is gone can be put back; what is there stays as it is. Reading the log
// ends at the first entry that is missing: those right after it may be too.
Result<void> Planner::plan_small(const Finding& finding, std::stop_token stop) {
  const bool kind = finding.kind == "transaction" || finding.kind == "log" || finding.kind == "domain";
  const bool planned = kind && finding.severity == Severity::damaged && options_.replica != nullptr &&
                       plan_fetch(finding.object, finding.text, stop);
  if (!planned) plan_.stays.push_back(finding);
  const auto number = planned ? repo::parse_log_name(finding.object) : std::nullopt;
  if (!number) return {};
  for (std::uint64_t next = *number + 1; plan_fetch(repo::log_name(next), "it is missing too", stop);) ++next;
  return {};
}

}  // namespace

const char* word(RepairPlan::Action action) {
  switch (action) {
    case RepairPlan::Action::rewrite:
      return "rewrite";
    case RepairPlan::Action::fetch:
      return "fetch";
    case RepairPlan::Action::fill:
      break;
  }
  return "fill";
}

std::uint64_t RepairPlan::count(Severity severity) const {
  return static_cast<std::uint64_t>(
      std::count_if(stays.begin(), stays.end(), [&](const Finding& f) { return f.severity == severity; }));
}

int RepairReport::exit_code() const {
  const auto any = [&](Severity severity) {
    return plan.count(severity) > 0 || std::any_of(failed.begin(), failed.end(),
                                                   [&](const Finding& f) { return f.severity == severity; });
  };
  if (any(Severity::damaged)) return holdfast::exit_code(Errc::damaged);
  return any(Severity::unreachable) ? holdfast::exit_code(Errc::unreachable) : 0;
}

Result<RepairPlan> plan_repair(const repo::Repository& repository, const RepairOptions& options,
                               Observer& observer, std::stop_token stop) {
  TRY(repo::require(repository.secrets(), {repo::Right::index}));
  RepairPlan plan;
  TRY(Planner(repository, options, observer, plan).run(std::move(stop)));
  return plan;
}

}  // namespace holdfast::flow
