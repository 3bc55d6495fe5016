#include "flow/lost.h"

#include "flow/check_survey.h"
#include "flow/torn.h"
#include "repo/live.h"
#include "repo/rights.h"

namespace holdfast::flow {

namespace {

// Slots that are damaged, by pack; all of a pack where there is no set.
using LostSlots = std::map<model::PackId, std::optional<model::Slots>>;

bool is_lost(const LostSlots& lost, const model::Address& address) {
  const auto at = lost.find(address.pack);
  return at != lost.end() && (!at->second || at->second->contains(address.slot));
}

bool touches(const LostSlots& lost, const model::References& references) {
  return std::any_of(references.begin(), references.end(), [&](const auto& entry) {
    const auto at = lost.find(entry.first);
    if (at == lost.end()) return false;
    return !at->second || at->second->intersects(entry.second);
  });
}

void add_range(std::vector<LostRange>& ranges, std::uint64_t from, std::uint64_t to) {
  if (!ranges.empty() && ranges.back().to == from) {
    ranges.back().to = to;
  } else {
    ranges.push_back({from, to});
  }
}

std::vector<LostRange> lost_ranges(const LostSlots& lost, const model::Entry& entry) {
  std::vector<LostRange> ranges;
  std::uint64_t at = 0;
  for (const model::Extent& extent : entry.content) {
    if (!extent.hole && is_lost(lost, extent.chunk)) add_range(ranges, at, at + extent.length);
    at += extent.length;
  }
  return ranges;
}

// One snapshot's trees. What can't be read of them is passed over, and said.
Result<void> walk(repo::ChunkReader& chunks, const repo::Snapshot& snapshot, const LostSlots& lost,
                  LostReport& report, std::stop_token stop) {
  for (const model::Root& root : snapshot.commit.roots) {
    repo::TreeReader tree(chunks, root);
    std::string last;
    bool torn = false;
    for (;;) {
      const auto next = tree.next(stop);
      if (!next.ok()) {
        if (!only_a_part(next.error())) return next.error().copy();
        torn = true;
        continue;
      }
      const model::Entry* entry = next.value();
      if (std::exchange(torn, false))
        report.names.push_back({snapshot.id, last, entry == nullptr ? "" : entry->path});
      if (entry == nullptr) break;
      last = entry->path;
      std::vector<LostRange> ranges = lost_ranges(lost, *entry);
      if (!ranges.empty())
        report.files.push_back({snapshot.id, entry->path, entry->size_bytes, std::move(ranges)});
    }
  }
  return {};
}

// Snapshots of which something was found that by now nobody keeps: forgotten, or a checkpoint that a later
// one replaced. A prune beside us may have taken what they needed, which is no loss.
Result<std::set<std::string>> let_go_meanwhile(const repo::Repository& repository,
                                               const std::vector<repo::Snapshot>& found,
                                               std::stop_token stop) {
  const repo::History now = TRY(repository.readable_history(stop));
  const repo::LastOfRuns last = repo::last_of_runs(now.commits);
  std::set<std::string> out;
  for (const repo::Snapshot& snapshot : found) {
    const bool live = repo::is_live(snapshot, now.log, last) && !now.log.retired(snapshot.commit.transaction);
    if (!live) out.insert(snapshot.id);
  }
  return out;
}

}  // namespace

std::uint64_t LostReport::lost_bytes() const {
  std::uint64_t bytes = 0;
  for (const LostFile& file : files) {
    for (const LostRange& range : file.ranges) bytes += range.to - range.from;
  }
  return bytes;
}

int LostReport::exit_code() const {
  if (anything()) return holdfast::exit_code(Errc::damaged);
  return unreachable.empty() ? 0 : holdfast::exit_code(Errc::unreachable);
}

Result<LostReport> find_lost(const repo::Repository& repository, unsigned workers, Observer& observer,
                             std::stop_token stop) {
  TRY(repo::require(repository.secrets(), {repo::Right::read, repo::Right::deduplicate}));
  SilentObserver silent;
  CheckFindings findings(silent);
  CheckReport counts;
  Survey found = TRY(survey(repository, findings, counts, stop));
  if (found.needs_known) std::erase_if(found.packs, [](const PackPlan& plan) { return plan.needed.empty(); });
  for (PackPlan& plan : found.packs) plan.read = true;
  TRY(check_packs(repository, found.packs, worker_count(workers), findings, counts, observer, {}, stop));
  const LostSlots lost = findings.damaged_slots();
  LostReport report;
  report.snapshots = found.live.size();
  for (Finding& finding : findings.take()) {
    if (finding.severity == Severity::unreachable)
      report.unreachable.push_back(std::move(finding));
    else if (finding.severity == Severity::damaged && finding.kind != "pack")
      report.unreadable.push_back(std::move(finding));
  }
  repo::ChunkReader chunks(repository, found.log);
  std::vector<repo::Snapshot> damaged;
  for (const repo::Snapshot& snapshot : found.live) {
    const auto references = repository.read_references(snapshot.commit, stop);
    // Without its references only the walk can tell.
    if (references.ok() && !touches(lost, references.value())) continue;
    const std::size_t before = report.files.size() + report.names.size();
    TRY(walk(chunks, snapshot, lost, report, stop));
    if (report.files.size() + report.names.size() > before) damaged.push_back(snapshot);
  }
  if (damaged.empty()) return report;
  const std::set<std::string> let_go = TRY(let_go_meanwhile(repository, damaged, stop));
  std::erase_if(report.files, [&](const LostFile& file) { return let_go.contains(file.snapshot); });
  std::erase_if(report.names, [&](const LostNames& names) { return let_go.contains(names.snapshot); });
  for (const repo::Snapshot& snapshot : damaged) {
    if (!let_go.contains(snapshot.id)) report.damaged_snapshots.push_back(snapshot.id);
  }
  return report;
}

}  // namespace holdfast::flow
