#include "flow/check.h"

#include <atomic>
#include <thread>

#include "flow/check_ledger.h"
#include "flow/check_survey.h"
#include "flow/check_trees.h"
#include "flow/frame_scan.h"
#include "repo/config.h"

namespace holdfast::flow {

namespace {

unsigned worker_count(const CheckSpec& spec) {
  return spec.workers != 0 ? spec.workers : std::max(2u, std::thread::hardware_concurrency());
}

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

}  // namespace

Result<CheckReport> check(const repo::Repository& repository, const CheckSpec& spec, Observer& observer,
                          std::stop_token stop) {
  const bool deep = spec.level != CheckLevel::quick || spec.max_duration_ns != 0;
  const std::int64_t end_ns = repository.clock().ticks_ns() + spec.max_duration_ns;
  if (deep && (!repository.secrets().read || !repository.secrets().content)) {
    return Error(Errc::denied, "this key may not read content")
        .hint("a quick check or a scrub needs no such right");
  }
  CheckReport report;
  CheckFindings findings(observer);
  Survey found = TRY(survey(repository, findings, report, stop));
  if (deep) {
    choose_packs(found.packs, spec, repository);
    const auto in_time = [&] { return spec.max_duration_ns == 0 || repository.clock().ticks_ns() < end_ns; };
    PackNotes notes(spec.ledger, found.packs, findings, repository.clock());
    std::atomic<bool> out_of_time = false;
    const PackHooks hooks{[&] { return in_time() || !(out_of_time = true); },
                          [&](std::size_t i) { notes.read(i); }};
    const auto known =
        check_packs(repository, found.packs, worker_count(spec), findings, report, observer, hooks, stop);
    notes.finish();
    if (!known.ok()) return known.error().copy();
    report.out_of_time = out_of_time;
    report.trees_checked = !out_of_time && in_time();
    if (report.trees_checked)
      TRY(check_trees(repository, found.log, found.live, known.value(), findings, report, observer, stop));
  }
  if (spec.ledger != nullptr)
    report.freshness = freshness_of(found.packs, *spec.ledger, repository.now().seconds);
  TRY(attribute(repository, found.live, findings, stop));
  report.findings = findings.take();
  return report;
}

namespace {

// Errors: stopped.
Result<void> scrub_pack(storage::Storage& storage, const repo::RepositoryId& id,
                        const repo::PackObject& object, CheckFindings& findings, CheckReport& report,
                        std::mutex& mutex, std::stop_token stop) {
  const std::string name = repo::pack_name(object.id, object.generation);
  auto scan = FrameScan::open(storage, id, object, stop);
  Result<void> result;
  std::uint64_t frames = 0;
  if (scan.ok()) {
    for (const std::string& warning : scan.value().warnings()) findings.warn("pack", name, warning);
    FrameLosses losses(scan.value().trailer());
    result = scan.value().run(
        [&](std::uint32_t position, Bytes, bool whole) {
          ++frames;
          if (!whole) losses.add(position);
        },
        stop);
    if (result.ok() && !losses.empty())
      findings.damaged("pack", name, losses.text(), DamagedSlots{object.id, {}});
  } else {
    result = std::move(scan).error();
  }
  if (!result.ok() && result.error().kind() == Errc::stopped) return result;
  if (!result.ok() && result.error().kind() == Errc::not_found) return {};  // removed since it was listed
  if (!result.ok()) findings.add("pack", name, result.error(), DamagedSlots{object.id, {}});
  const std::lock_guard lock(mutex);
  ++report.packs_opened;
  report.packs_read += result.ok() ? 1 : 0;
  report.frames += frames;
  report.bytes_read += result.ok() ? scan.value().object_bytes() : 0;
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
  TRY(for_each_of(packs.size(), worker_count(spec), task, stop));
  report.findings = findings.take();
  return report;
}

}  // namespace holdfast::flow
