#include <fmt/core.h>

#include "flow/check_survey.h"
#include "flow/frame_scan.h"
#include "flow/repair.h"
#include "repo/rights.h"

namespace holdfast::flow {

using model::PackId;
using repo::Vital;

namespace {

using Step = RepairPlan::Step;

// One object of a pack, as it is in one store.
struct Look {
  std::string wrong;  // "" if nothing
  std::string lost;   // what parity can't replace; "" if nothing
  bool gone = false;  // there is no such object
  std::optional<Error> unreachable;
  std::uint64_t bytes = 0;

  bool usable() const { return lost.empty() && !gone && !unreachable; }
};

// Whether the directory is the one that the manifest lists.
Result<void> compare(const PackPlan& plan, repo::PackReader& pack, std::uint32_t generation) {
  TRY(pack.frames().expect_generation());
  if (!plan.named) return {};
  if (listing_hash(pack.directory()) != plan.listing)
    return Error(Errc::damaged, "its directory is not what the manifest says");
  TRY(pack.frames().load_table({}));
  if (generation == 0 && pack.trailer().root != plan.root)
    return Error(Errc::damaged, "its root is not what the manifest says");
  return {};
}

Result<Look> examine(storage::Storage& storage, const repo::Repository& repository, const PackPlan& plan,
                     std::uint32_t generation, std::stop_token stop) {
  const auto root = plan.named ? std::optional(plan.root) : std::nullopt;
  const repo::PackReader::Keys keys{repository.config().id, nullptr, *repository.secrets().index, root};
  const auto pack = TRY(repo::PackReader::open(storage, keys, plan.object.id, generation, stop));
  TRY(compare(plan, *pack, generation));
  repo::PackFrames& frames = pack->frames();
  const FrameLosses losses = TRY(find_losses(frames, stop));
  Look look;
  look.bytes = frames.object_bytes();
  for (const std::string& note : frames.take_end_notes())
    look.wrong += (look.wrong.empty() ? "" : "; ") + note;
  if (losses.empty()) return look;
  look.wrong += (look.wrong.empty() ? "" : "; ") + losses.text();
  if (!losses.repairable()) look.lost = losses.text();
  return look;
}

Result<Look> look_at(storage::Storage& storage, const repo::Repository& repository, const PackPlan& plan,
                     std::uint32_t generation, std::stop_token stop) {
  auto look = examine(storage, repository, plan, generation, stop);
  if (look.ok() || look.error().kind() == Errc::stopped) return look;
  Look out;
  const Error& error = look.error();
  out.gone = error.kind() == Errc::not_found;
  if (out.gone) {
    out.wrong = out.lost = "the pack is missing";
  } else if (severity_of(error.kind()) == Severity::damaged) {
    out.wrong = out.lost = error.text();
  } else {
    out.unreachable = error.copy();
  }
  return out;
}

class Planner {
 public:
  Planner(const repo::Repository& repository, const RepairOptions& options, Observer& observer,
          RepairPlan& plan)
      : repository_(repository), options_(options), observer_(observer), plan_(plan) {}

  Result<void> run(std::stop_token stop);

 private:
  Result<void> plan_small(const Finding& finding, std::stop_token stop);
  Result<void> plan_pack(const PackPlan& pack, std::stop_token stop);
  Result<bool> plan_from_replica(const PackPlan& pack, const Look& here, std::stop_token stop);
  Result<void> choose(std::vector<PackPlan>& packs) const;
  void add(Step step);
  void stays(Severity severity, const PackPlan& pack, std::string text);

  const repo::Repository& repository_;
  const RepairOptions& options_;
  Observer& observer_;
  std::mutex mutex_;  // guards plan_
  RepairPlan& plan_;
};

void Planner::add(Step step) {
  const std::lock_guard lock(mutex_);
  plan_.steps.push_back(std::move(step));
}

void Planner::stays(Severity severity, const PackPlan& pack, std::string text) {
  const std::lock_guard lock(mutex_);
  plan_.stays.push_back(
      {severity, "pack", repo::pack_name(pack.object.id, pack.object.generation), {}, std::move(text)});
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
  std::sort(plan_.steps.begin(), plan_.steps.end(),
            [](const Step& a, const Step& b) { return a.object < b.object; });
  std::sort(plan_.stays.begin(), plan_.stays.end(), [](const Finding& a, const Finding& b) {
    return std::tie(a.object, a.text) < std::tie(b.object, b.text);
  });
  return {};
}

Result<void> Planner::plan_pack(const PackPlan& pack, std::stop_token stop) {
  storage::Storage& storage = repository_.storage();
  const Look here = TRY(look_at(storage, repository_, pack, pack.object.generation, stop));
  {
    const std::lock_guard lock(mutex_);
    plan_.bytes_read += here.bytes;
  }
  if (here.unreachable) {
    stays(Severity::unreachable, pack, here.unreachable->text());
    return {};
  }
  if (here.wrong.empty()) return {};
  if (here.usable()) {
    add({RepairPlan::Action::rewrite, repo::pack_name(pack.object.id, pack.object.generation), pack.object.id,
         pack.object.generation, false, pack.root, here.bytes, here.wrong});
    return {};
  }
  const bool replaced = TRY(plan_from_replica(pack, here, stop));
  if (!replaced) stays(Severity::damaged, pack, here.lost);
  return {};
}

// The replica may be a little behind: it may have the pack in an earlier generation, which has all that ours
// had.
Result<bool> Planner::plan_from_replica(const PackPlan& pack, const Look& here, std::stop_token stop) {
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
    const Look there = TRY(look_at(*options_.replica, repository_, pack, generation, stop));
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

// What of a repository's small objects is gone can be put back; what is there stays as it is.
Result<void> Planner::plan_small(const Finding& finding, std::stop_token stop) {
  const bool kind = finding.kind == "transaction" || finding.kind == "log" || finding.kind == "domain";
  if (kind && finding.severity == Severity::damaged && options_.replica != nullptr) {
    const auto here = repository_.storage().stat(finding.object, stop);
    if (!here.ok() && here.error().kind() == Errc::not_found) {
      const auto there = options_.replica->stat(finding.object, stop);
      const bool planned = std::any_of(plan_.steps.begin(), plan_.steps.end(),
                                       [&](const Step& step) { return step.object == finding.object; });
      if (planned) return {};
      if (there.ok()) {
        add({RepairPlan::Action::fetch,
             finding.object,
             std::nullopt,
             0,
             true,
             {},
             there.value().size_bytes,
             finding.text});
        return {};
      }
    }
  }
  plan_.stays.push_back(finding);
  return {};
}

}  // namespace

const char* word(RepairPlan::Action action) {
  return action == RepairPlan::Action::fetch ? "fetch" : "rewrite";
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
