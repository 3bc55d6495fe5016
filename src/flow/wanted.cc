// The wanted list: decision 14.
#include "flow/repair.h"
#include "repo/append.h"
#include "repo/pack_reader.h"

namespace holdfast::flow {

using model::PackId;

namespace {

constexpr int kTurnsMax = 200;

// Appends what `entry` makes of the log as it is by then; nothing where that has no items. How many chunks it
// names.
template <class Entry>
Result<std::uint64_t> append(const repo::Repository& repository,
                             const std::function<Result<Entry>(const repo::LogState&)>& entry,
                             std::stop_token stop) {
  repo::LogState log;
  TRY_AS(repository.log().follow(log, stop), "reading the log");
  std::uint64_t chunks = 0;
  const auto decide = [&]() -> Result<std::optional<repo::LogEntry>> {
    Entry made = TRY(entry(log));
    chunks = 0;
    for (const repo::Item& item : made.items) chunks += item.kept.count();
    if (made.items.empty()) return std::optional<repo::LogEntry>();
    return std::optional<repo::LogEntry>(std::move(made));
  };
  TRY(repo::append_decided(repository, log, decide, kTurnsMax, stop));
  return chunks;
}

// Of the pack's listed slots, those that its present object has.
Result<model::Slots> there_again(const repo::Repository& repository, const repo::LogState& log,
                                 const PackId& id, std::stop_token stop) {
  const model::Slots& slots = log.lost_of(id);
  model::Slots out;
  const auto generation = log.generation(id);
  if (slots.empty() || !generation) return out;
  const auto pack = TRY(repo::PackReader::open(repository.storage(),
                                               {repository.config().id, nullptr, *repository.secrets().index},
                                               id, *generation, stop));
  for (std::uint32_t slot = 0; slot < pack->directory().size(); ++slot) {
    if (slots.contains(slot) && pack->has(slot)) out.insert(slot);
  }
  return out;
}

}  // namespace

std::uint64_t count_slots(const std::map<PackId, RepairPlan::Seen>& seen) {
  std::uint64_t count = 0;
  for (const auto& [pack, what] : seen) count += what.slots.count();
  return count;
}

Result<std::uint64_t> record_lost(const repo::Repository& repository, const RepairPlan& plan,
                                  std::stop_token stop) {
  if (plan.lost.empty()) return 0;
  return append<repo::Lost>(
      repository,
      [&](const repo::LogState& log) -> Result<repo::Lost> {
        repo::Lost entry;
        for (const auto& [pack, seen] : plan.lost) {
          model::Slots slots = seen.slots;
          slots.remove(log.lost_of(pack));
          if (log.generation(pack) == seen.generation && !slots.empty())
            entry.items.push_back({pack, std::move(slots)});
        }
        return entry;
      },
      stop);
}

Result<std::uint64_t> record_found(const repo::Repository& repository, const RepairPlan& plan,
                                   const std::vector<RepairPlan::Step>& done, std::stop_token stop) {
  if (plan.found.empty() && done.empty()) return 0;
  return append<repo::Found>(
      repository,
      [&](const repo::LogState& log) -> Result<repo::Found> {
        model::References found;
        for (const auto& [pack, seen] : plan.found) {
          if (log.generation(pack) == seen.generation && log.lost.contains(pack))
            found[pack].unite(seen.slots);
        }
        for (const RepairPlan::Step& step : done) {
          if (!step.pack) continue;
          const model::Slots again = TRY(there_again(repository, log, *step.pack, stop));
          if (!again.empty()) found[*step.pack].unite(again);
        }
        repo::Found entry;
        for (auto& [pack, slots] : found) entry.items.push_back({pack, std::move(slots)});
        return entry;
      },
      stop);
}

}  // namespace holdfast::flow
