#include "flow/prune_plan.h"

#include <fmt/core.h>

#include "repo/relocate.h"

namespace holdfast::flow {

using model::PackId;
using model::TransactionId;
using repo::kOwnObjects;

namespace {

// A pack in use with something dead in it.
struct Candidate {
  PrunePlan::Step step;
  std::uint64_t dead() const { return step.bytes_now - step.bytes_after; }
};

// (Tokens by reference: g++ 12 takes the copies for a use after free.)
class Planner {
 public:
  Planner(const repo::Repository& repository, const PruneOptions& options, const std::set<PackId>& anew,
          PrunePlan& plan)
      : repository_(repository), options_(options), anew_(anew), plan_(plan) {}

  Result<void> run(const std::stop_token& stop) {
    TRY(judge_undecided(stop));
    TRY(choose(stop));
    choose_relocations();
    carry_on();
    count();
    return {};
  }

 private:
  Result<void> judge_undecided(const std::stop_token& stop);
  Result<void> choose(const std::stop_token& stop);
  Result<void> choose_packs(const TransactionId& id, const std::stop_token& stop);
  Result<model::Manifest> read_manifest(const TransactionId& id, const std::stop_token& stop);
  void add_candidate(const PackId& pack, std::uint64_t bytes_now, const model::Slots& needed,
                     const model::Manifest& manifest);
  void choose_relocations();
  void carry_on();
  void count();

  const repo::Repository& repository_;
  const PruneOptions& options_;
  const std::set<PackId>& anew_;
  PrunePlan& plan_;
  std::vector<Candidate> candidates_;
  std::vector<std::string> unreadable_;
};

// Those that began long ago are taken for crashed; so are those without `open`, whose content nobody could
// read.
Result<void> Planner::judge_undecided(const std::stop_token& stop) {
  std::set<TransactionId> undecided = plan_.mark.undecided;
  for (const auto& [pack, generations] : plan_.objects) {
    const TransactionId& id = pack.transaction;
    // Its packs are there and nothing else: `open` was lost.
    if (!plan_.mark.decided(id) && !plan_.mark.log.retired(id)) undecided.insert(id);
  }
  const std::int64_t now = repository_.now().seconds;
  for (const TransactionId& id : undecided) {
    const auto opened = repo::opened_at(repository_, id, stop);
    if (!opened.ok() && (opened.error().kind() == Errc::stopped || retryable(opened.error().kind()))) {
      return opened.error().copy();
    }
    const bool lost = !opened.ok() && opened.error().kind() == Errc::not_found;
    const bool old =
        opened.ok() && now - opened.value().seconds >= static_cast<std::int64_t>(options_.abort_open_after_s);
    (lost || old || options_.abort_open_after_s == 0 ? plan_.to_abort : plan_.running).push_back(id);
  }
  return {};
}

Result<void> Planner::choose(const std::stop_token& stop) {
  std::set<TransactionId> decided = plan_.mark.aborted;
  for (const auto& [id, commit] : plan_.mark.commits) decided.insert(id);
  for (const TransactionId& id : decided) {
    PrunePlan::Step whole;
    whole.item.pack = {id, kOwnObjects};
    if (plan_.mark.needs(whole.item)) {
      TRY(choose_packs(id, stop));
      continue;
    }
    const auto end = plan_.objects.upper_bound({id, kOwnObjects});
    for (auto at = plan_.objects.lower_bound({id, 0}); at != end; ++at) {
      for (const auto& [generation, bytes] : at->second) whole.bytes_now += bytes;
    }
    plan_.steps.push_back(std::move(whole));
  }
  if (unreadable_.empty()) return {};
  std::string list;
  for (const std::string& line : unreadable_) list += "\n  " + line;
  return Error(Errc::damaged, "what is needed can't be known, so nothing is removed:" + list)
      .hint("run `holdfast check` and repair the repository first");
}

// Empty where it can't be had, for a reason or not.
Result<model::Manifest> Planner::read_manifest(const TransactionId& id, const std::stop_token& stop) {
  auto manifest = repository_.read_manifest(id, stop);
  if (manifest.ok()) return manifest;
  const Errc kind = manifest.error().kind();
  if (kind == Errc::stopped || retryable(kind)) return manifest;
  // An aborted transaction may not have got as far; another prune may have removed what is not needed since.
  bool excused = kind == Errc::not_found && plan_.mark.aborted.contains(id);
  if (kind == Errc::not_found && !excused) {
    repo::LogState log = plan_.mark.log;
    TRY_AS(repository_.log().follow(log, stop), "reading the log");
    excused = log.retired(id);
  }
  if (!excused) unreadable_.push_back(manifest.error().text());
  return model::Manifest{id, {}};
}

// Packs of a transaction of which something is needed.
Result<void> Planner::choose_packs(const TransactionId& id, const std::stop_token& stop) {
  std::optional<model::Manifest> manifest;
  auto at = plan_.objects.lower_bound({id, 0});
  const auto end = plan_.objects.upper_bound({id, kOwnObjects});
  for (; at != end; ++at) {
    const PackId& pack = at->first;
    const auto generation = plan_.mark.log.generation(pack);
    if (!generation || !at->second.contains(*generation)) continue;
    const std::uint64_t bytes = at->second.at(*generation);
    const auto needed = plan_.mark.needed.find(pack);
    if (needed == plan_.mark.needed.end()) {
      PrunePlan::Step step;
      step.item.pack = pack;
      step.bytes_now = bytes;
      plan_.steps.push_back(std::move(step));
      continue;
    }
    if (!manifest) manifest = TRY(read_manifest(id, stop));
    add_candidate(pack, bytes, needed->second, *manifest);
  }
  return {};
}

void Planner::add_candidate(const PackId& pack, std::uint64_t bytes_now, const model::Slots& needed,
                            const model::Manifest& manifest) {
  const auto described = std::find_if(manifest.packs.begin(), manifest.packs.end(),
                                      [&](const model::ManifestPack& p) { return p.pack == pack.pack; });
  const std::uint64_t bytes_after =
      described == manifest.packs.end() ? bytes_now : std::min(bytes_now, repo::bytes_of(needed, *described));
  plan_.bytes_live += bytes_after;
  if (bytes_after == bytes_now) return;
  Candidate candidate;
  candidate.step.item = {pack, needed};
  candidate.step.bytes_now = bytes_now;
  candidate.step.bytes_after = bytes_after;
  candidates_.push_back(std::move(candidate));
}

// The packs with the greatest dead share, until what stays dead is within the limit.
void Planner::choose_relocations() {
  for (const Candidate& c : candidates_) plan_.bytes_unused += c.dead();
  if (options_.dead_packs_only) return;
  std::sort(candidates_.begin(), candidates_.end(), [](const Candidate& a, const Candidate& b) {
    const auto share = [](const Candidate& c) {
      return static_cast<double>(c.dead()) / static_cast<double>(c.step.bytes_now);
    };
    return share(a) != share(b) ? share(a) > share(b) : a.step.item.pack < b.step.item.pack;
  });
  const double allowed = static_cast<double>(plan_.bytes_live) * options_.max_unused_percent / 100;
  for (Candidate& c : candidates_) {
    if (static_cast<double>(plan_.bytes_unused) <= allowed) break;
    plan_.bytes_unused -= c.dead();
    plan_.bytes_to_copy += c.step.bytes_after;
    plan_.steps.push_back(std::move(c.step));
  }
}

// Condemnations in force that somebody left: gone on with, whether to delete or to lift shows when it is
// marked again.
void Planner::carry_on() {
  std::map<PackId, std::size_t> chosen;
  for (std::size_t i = 0; i < plan_.steps.size(); ++i) chosen[plan_.steps[i].item.pack] = i;
  for (const auto& [pack, condemned] : plan_.mark.log.condemned) {
    const bool whole = pack.pack == kOwnObjects;
    if (plan_.mark.log.retired(pack.transaction) || (!whole && !plan_.mark.log.generation(pack))) continue;
    if (anew_.contains(pack)) continue;
    const auto at = chosen.find(pack);
    if (at != chosen.end()) {
      PrunePlan::Step& step = plan_.steps[at->second];
      if (step.item.kept == condemned.kept) step.condemned_by = condemned.entry;
      continue;
    }
    if (!whole && chosen.contains({pack.transaction, kOwnObjects})) continue;
    if (options_.dead_packs_only && !condemned.kept.empty()) continue;
    PrunePlan::Step step;
    step.item = {pack, condemned.kept};
    step.condemned_by = condemned.entry;
    plan_.steps.push_back(std::move(step));
  }
}

void Planner::count() {
  const repo::Mark& mark = plan_.mark;
  plan_.snapshots = mark.live.size();
  for (const auto& [pack, generations] : plan_.objects) {
    ++plan_.packs;
    for (const auto& [generation, bytes] : generations) {
      plan_.bytes_total += bytes;
      if (is_garbage(mark.log, pack, generation)) plan_.bytes_garbage += bytes;
    }
  }
  plan_.bytes_freed = plan_.bytes_garbage;
  for (const PrunePlan::Step& step : plan_.steps) plan_.bytes_freed += step.bytes_now - step.bytes_after;
  for (const TransactionId& id : mark.live) {
    if (!mark.log.witnessed.contains(id)) plan_.unwitnessed.push_back(id);
  }
  for (const auto& [pack, slots] : mark.needed) {
    const auto generation = mark.log.generation(pack);
    const auto objects = plan_.objects.find(pack);
    const bool there = generation && objects != plan_.objects.end() && objects->second.contains(*generation);
    if (!there) plan_.missing.push_back(repo::pack_name(pack, generation.value_or(0)));
  }
}

Result<void> list_packs(const repo::Repository& repository, PackObjects& objects, std::stop_token stop) {
  for (const char* prefix : {repo::kDataPrefix, repo::kMetadataPrefix}) {
    TRY_AS(repository.storage().list(
               prefix,
               [&](const storage::ObjectInfo& info) -> Result<void> {
                 const auto object = repo::parse_pack_name(info.name);
                 if (object) objects[object->id][object->generation] = info.size_bytes;
                 return {};
               },
               stop),
           "listing packs");
  }
  return {};
}

}  // namespace

bool is_garbage(const repo::LogState& log, const PackId& pack, std::uint32_t generation) {
  if (log.retired(pack.transaction)) return true;
  if (generation > log.next) return false;  // of an entry that this view does not have
  if (log.generation(pack) == generation) return false;
  const auto condemned = log.condemned.find(pack);
  return condemned == log.condemned.end() || condemned->second.entry + 1 != generation;
}

Result<PrunePlan> plan_prune(const repo::Repository& repository, repo::Marker& marker,
                             const PruneOptions& options, const std::set<PackId>& anew,
                             std::stop_token stop) {
  PrunePlan plan;
  // Packs first: whoever put one had put his `open` before, so a pack without a transaction has lost it.
  TRY(list_packs(repository, plan.objects, stop));
  plan.mark = TRY(marker.mark(stop));
  Planner planner(repository, options, anew, plan);
  TRY(planner.run(stop));
  return plan;
}

Result<PrunePlan> plan_prune(const repo::Repository& repository, const PruneOptions& options,
                             std::stop_token stop) {
  repo::Marker marker(repository);
  return plan_prune(repository, marker, options, {}, stop);
}

std::string describe(const PrunePlan& plan) {
  constexpr double kMega = 1e6;
  const auto mb = [](std::uint64_t bytes) {
    return fmt::format("{:.1f} MB", static_cast<double>(bytes) / kMega);
  };
  std::size_t wholes = 0, dead = 0, copied = 0;
  for (const PrunePlan::Step& step : plan.steps)
    ++(step.whole() ? wholes : step.item.kept.empty() ? dead : copied);
  std::string out = fmt::format("{} snapshots need {} of {} in {} packs\n", plan.snapshots,
                                mb(plan.bytes_live), mb(plan.bytes_total), plan.packs);
  out += fmt::format("to remove: {} transactions, {} dead packs; to copy: {} of {} packs\n", wholes, dead,
                     mb(plan.bytes_to_copy), copied);
  out += fmt::format("frees {}, leaves {} unused\n", mb(plan.bytes_freed), mb(plan.bytes_unused));
  for (const TransactionId& id : plan.to_abort) out += fmt::format("to abort: {}\n", repo::text(id));
  for (const TransactionId& id : plan.running) out += fmt::format("to wait for: {}\n", repo::text(id));
  for (const std::string& name : plan.missing) out += fmt::format("missing: {}\n", name);
  return out;
}

}  // namespace holdfast::flow
