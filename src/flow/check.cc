#include "flow/check.h"

#include <fmt/core.h>

#include <atomic>
#include "flow/check_ledger.h"
#include "flow/check_survey.h"
#include "flow/check_trees.h"
#include "flow/frame_scan.h"
#include "repo/config.h"
#include "repo/rights.h"

namespace holdfast::flow {

namespace {

void choose_packs(std::vector<PackPlan>& packs, const CheckSpec& spec, const repo::Repository& repository) {
  if (spec.max_duration_ns != 0) {
    for (PackPlan& plan : packs) plan.read = true;
    if (spec.ledger != nullptr) order_by_staleness(packs, *spec.ledger);
    return;
  }
  if (spec.level != CheckLevel::full) return;
  std::vector<PartChooser::Pack> all;
  for (const PackPlan& plan : packs) all.push_back({repo::pack_name(plan.object.id, 0), plan.object_bytes});
  const std::vector<bool> chosen = PartChooser(spec.part, repository.random()).choose(all);
  for (std::size_t i = 0; i < packs.size(); ++i) packs[i].read = chosen[i];
}

// What the log says is lost of packs that were not read, so that no one looks whole that is not.
void tell_wanted(const Survey& found, bool read, CheckFindings& findings) {
  const auto told = findings.damaged_slots();
  for (const PackPlan& plan : found.packs) {
    const model::Slots& listed = found.log.lost_of(plan.object.id);
    if (!listed.intersects(plan.needed) || (read && plan.read) || told.contains(plan.object.id)) continue;
    model::Slots whole = plan.needed, lost = plan.needed;
    whole.remove(listed);
    lost.remove(whole);
    findings.damaged("pack", repo::pack_name(plan.object.id, plan.object.generation),
                     fmt::format("{} chunks that snapshots need are lost", lost.count()),
                     DamagedSlots{plan.object.id, lost});
  }
}

// Says which snapshots the findings touch.
Result<void> attribute(const repo::Repository& repository, const std::vector<repo::Snapshot>& live,
                       CheckFindings& findings, std::stop_token stop) {
  if (!findings.any_slots()) return {};
  for (const repo::Snapshot& snapshot : live) {
    if (stop.stop_requested()) return Error(Errc::stopped, "stopped");
    const auto references = repository.read_references(snapshot.commit, stop);
    if (references.ok()) findings.attribute(snapshot.id, references.value());
  }
  return {};
}

// The chosen snapshots; leaves of the packs those that they need. Where their references can't be read, which
// is told by now, nobody knows which these are: then all stay.
Result<std::vector<repo::Snapshot>> choose_snapshots(const repo::Repository& repository,
                                                     const CheckSpec& spec, Survey& found,
                                                     CheckReport& report, std::stop_token stop) {
  std::vector<repo::Snapshot> chosen;
  model::References needed;
  bool known = true;
  for (const repo::Snapshot& snapshot : found.live) {
    if (!spec.only.contains(snapshot.commit.transaction)) continue;
    if (stop.stop_requested()) return Error(Errc::stopped, "stopped");
    chosen.push_back(snapshot);
    const auto references = repository.read_references(snapshot.commit, stop);
    known = known && references.ok();
    if (!references.ok()) continue;
    model::unite(needed, references.value());
  }
  report.snapshots = chosen.size();
  report.checkpoints = 0;
  if (!known) return chosen;
  std::erase_if(found.packs, [&](const PackPlan& plan) { return !needed.contains(plan.object.id); });
  for (PackPlan& plan : found.packs) plan.needed = needed.at(plan.object.id);
  report.packs = found.packs.size();
  return chosen;
}

Result<void> judge_history(const repo::Repository& repository, const CheckSpec& spec,
                           const repo::History& history, CheckFindings& findings, Observer& observer) {
  for (const std::string& text : history.contradictions) {
    if (spec.accept_history) {
      observer.note("accepted: " + text);
    } else {
      findings.damaged("history", "history", text + "; --accept-history accepts it");
    }
  }
  if (spec.accept_history && !history.log_trouble.empty()) {
    return Error(Errc::damaged,
                 "a log that can't be read to its end can't be accepted: " + history.log_trouble);
  }
  if (spec.accept_history) return repository.accept(history);
  return {};
}

}  // namespace

Result<CheckReport> check(const repo::Repository& repository, const CheckSpec& spec, Observer& observer,
                          std::stop_token stop) {
  const bool deep = spec.level != CheckLevel::quick || spec.max_duration_ns != 0;
  const std::int64_t end_ns = repository.clock().ticks_ns() + spec.max_duration_ns;
  if (deep) {
    TRY(repo::require(repository.secrets(), {repo::Right::read, repo::Right::deduplicate}));
  }
  CheckReport report;
  CheckFindings findings(observer);
  const auto on_history = [&](const repo::History& history) {
    return judge_history(repository, spec, history, findings, observer);
  };
  Survey found = TRY(survey(repository, findings, report, stop, on_history));
  std::vector<repo::Snapshot> chosen;
  if (!spec.only.empty()) chosen = TRY(choose_snapshots(repository, spec, found, report, stop));
  const auto tell_size = [&](const PackPlan& plan) {
    if (plan.wrong_size.empty()) return;
    findings.damaged("pack", repo::pack_name(plan.object.id, plan.object.generation), plan.wrong_size,
                     DamagedSlots{plan.object.id, {}});
  };
  if (!deep) {
    std::for_each(found.packs.begin(), found.packs.end(), tell_size);
  } else {
    choose_packs(found.packs, spec, repository);
    const auto in_time = [&] { return spec.max_duration_ns == 0 || repository.clock().ticks_ns() < end_ns; };
    PackNotes notes(spec.ledger, found.packs, findings, repository.clock());
    std::mutex mutex;  // guards left_out
    std::vector<std::size_t> left_out;
    const auto may_begin = [&](std::size_t i) {
      if (in_time()) return true;
      const std::lock_guard lock(mutex);
      left_out.push_back(i);
      return false;
    };
    const PackHooks hooks{may_begin, [&](std::size_t i) { notes.read(i); }};
    const auto known = check_packs(repository, found.packs, worker_count(spec.workers), findings, report,
                                   observer, hooks, stop);
    notes.finish();
    if (!known.ok()) return known.error().copy();
    // A deeper look tells whether anything is lost by a wrong size; these get none.
    for (const std::size_t i : left_out) tell_size(found.packs[i]);
    report.trees_checked = left_out.empty() && in_time();
    report.out_of_time = !report.trees_checked;
    if (report.trees_checked)
      TRY(check_trees(repository, found.log, spec.only.empty() ? found.live : chosen, known.value(), findings,
                      report, observer, stop));
  }
  if (spec.ledger != nullptr)
    report.freshness = freshness_of(found.packs, *spec.ledger, repository.now().seconds);
  tell_wanted(found, deep && !report.out_of_time, findings);
  TRY(attribute(repository, found.live, findings, stop));
  report.findings = findings.take();
  return report;
}

namespace {

// Frames and bytes that were read. What is lost is told.
Result<std::pair<std::uint64_t, std::uint64_t>> scrub_frames(storage::Storage& storage,
                                                             const repo::RepositoryId& id,
                                                             const repo::PackObject& object,
                                                             CheckFindings& findings, std::stop_token stop) {
  const std::string name = repo::pack_name(object.id, object.generation);
  const auto frames = TRY(repo::PackFrames::open(storage, {id, nullptr, {}}, object, stop));
  TRY(frames->expect_generation());
  const FrameLosses losses = TRY(find_losses(*frames, stop));
  for (const std::string& note : frames->take_end_notes()) findings.warn("pack", name, note);
  if (!losses.empty() && losses.repairable()) findings.warn("pack", name, losses.text());
  if (!losses.empty() && !losses.repairable())
    findings.damaged("pack", name, losses.text(), DamagedSlots{object.id, {}});
  return std::pair{std::uint64_t{frames->all_frames()}, frames->object_bytes()};
}

// Errors: stopped.
Result<void> scrub_pack(storage::Storage& storage, const repo::RepositoryId& id,
                        const repo::PackObject& object, CheckFindings& findings, CheckReport& report,
                        std::mutex& mutex, std::stop_token stop) {
  const std::string name = repo::pack_name(object.id, object.generation);
  const auto read = scrub_frames(storage, id, object, findings, stop);
  if (!read.ok() && read.error().kind() == Errc::stopped) return read.error().copy();
  if (!read.ok() && read.error().kind() == Errc::not_found) return {};  // removed since it was listed
  if (!read.ok()) findings.add("pack", name, read.error(), DamagedSlots{object.id, {}});
  const std::lock_guard lock(mutex);
  ++report.packs_opened;
  if (!read.ok()) return {};
  ++report.packs_read;
  report.frames += read.value().first;
  report.bytes_read += read.value().second;
  return {};
}

}  // namespace

Result<CheckReport> scrub(storage::Storage& storage, Random& random, const CheckSpec& spec,
                          Observer& observer, std::stop_token stop) {
  const Buffer object = TRY_AS(storage.get(repo::kConfigName, {}, stop), "reading the repository's config");
  const repo::Config config = TRY(repo::decode_config(object));
  std::vector<repo::PackObject> packs;
  std::vector<PartChooser::Pack> all;
  const auto visit = [&](const storage::ObjectInfo& info) -> Result<void> {
    if (const auto pack = repo::parse_pack_name(info.name)) {
      packs.push_back(*pack);
      all.push_back({info.name, info.size_bytes});
    }
    return {};
  };
  TRY(storage.list(repo::kDataPrefix, visit, stop));
  TRY(storage.list(repo::kMetadataPrefix, visit, stop));
  const std::vector<bool> chosen = PartChooser(spec.part, random).choose(all);
  CheckReport report;
  report.packs = packs.size();
  CheckFindings findings(observer);
  std::mutex mutex;  // guards report and progress
  Progress progress;
  progress.files_total = packs.size();
  const auto task = [&](std::size_t i, std::stop_token inner) -> Result<void> {
    if (!chosen[i]) return {};
    TRY(scrub_pack(storage, config.id, packs[i], findings, report, mutex, inner));
    const std::lock_guard lock(mutex);
    ++progress.files_done;
    progress.bytes_done = report.bytes_read;
    observer.progress(progress, all[i].name);
    return {};
  };
  TRY(for_each_of(packs.size(), worker_count(spec.workers), task, stop));
  report.findings = findings.take();
  return report;
}

}  // namespace holdfast::flow
