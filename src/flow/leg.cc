#include "flow/leg.h"

#include <unistd.h>

#include <fmt/core.h>

#include <set>
#include <thread>

#include "flow/page_range.h"

namespace holdfast::flow {

namespace {

bool is_checkpoint(const repo::Snapshot& commit) {
  return commit.commit.kind == model::CommitKind::checkpoint;
}

unsigned worker_count(const BackupSpec& spec) {
  return spec.workers != 0 ? spec.workers : std::max(2u, std::thread::hardware_concurrency());
}

// The local copy of the last full snapshot; and that of the last snapshot while `series` is a checkpoint's.
std::string full_of(const std::string& series) { return series + ".full"; }
std::string last_of(const std::string& series) { return series + ".last"; }

void link_anew(const std::string& file, const std::string& name) {
  ::unlink(name.c_str());
  // A failure costs time or exact counts, never data.
  [[maybe_unused]] const int linked = ::link(file.c_str(), name.c_str());
}

// What the leg builds upon: the run's last checkpoint, or what its mode says.
Result<Previous> open_previous(Run& run, const repo::Transaction& transaction, std::stop_token stop) {
  const auto open = [&](const std::string& file) {
    return Previous::open(file, transaction, run.local, run.history, stop);
  };
  if (run.checkpoint) {
    Previous own = TRY(open(run.series));
    if (own.snapshot() != nullptr && own.snapshot()->commit.transaction == *run.checkpoint) return own;
    // The local copy could not be written, or another process has put its own there: a checkpoint is no
    // help to this run.
    run.interval_ns = 0;
  }
  if (run.series.empty() || run.spec.mode == model::BackupMode::full) return Previous();
  return open(run.spec.mode == model::BackupMode::differential ? full_of(run.series) : run.series);
}

// The snapshot that a commit is or that its run began with; null where there is none.
const repo::Snapshot* last_snapshot(const repo::History& history, const repo::Snapshot* commit) {
  while (commit != nullptr && is_checkpoint(*commit)) {
    commit = commit->commit.parent ? history.find(*commit->commit.parent) : nullptr;
  }
  return commit;
}

// The last snapshot's tree, where the leg builds upon a checkpoint; nothing where there is no copy of it.
std::optional<Previous> open_baseline(const Run& run, const Previous& previous, const repo::Snapshot* last) {
  if (previous.snapshot() == nullptr || !is_checkpoint(*previous.snapshot())) return std::nullopt;
  if (last == nullptr) return Previous();  // all is new
  for (const std::string& file : {last_of(run.series), full_of(run.series)}) {
    Previous baseline = Previous::to_compare(file, *last, run.local);
    if (baseline.snapshot() != nullptr) return baseline;
  }
  return std::nullopt;
}

model::Commit describe(const Run& run, const BackupReport& report, const model::Root& root,
                       const repo::Snapshot* parent) {
  const BackupSpec& spec = run.spec;
  model::Commit commit;
  commit.partial = report.partial;
  commit.mode = spec.mode;
  commit.start = spec.time.value_or(run.start);
  commit.end = spec.time.value_or(run.repository.now());
  commit.zone_minutes = spec.zone_minutes;
  commit.host = spec.host;
  commit.user = spec.user;
  commit.program = spec.program;
  commit.paths = spec.paths;
  commit.tags = spec.tags;
  commit.excludes = spec.excludes;
  if (parent != nullptr) commit.parent = parent->commit.transaction;
  commit.roots = {root};
  commit.statistics = {{"files_new", report.files_new},
                       {"files_changed", report.files_changed},
                       {"files_unmodified", report.files_unmodified},
                       {"dirs_new", report.dirs_new},
                       {"dirs_changed", report.dirs_changed},
                       {"dirs_unmodified", report.dirs_unmodified},
                       {"data_blobs", report.data_blobs},
                       {"tree_blobs", report.tree_blobs},
                       {"data_added", report.data_added},
                       {"data_added_packed", report.data_added_packed},
                       {"total_files_processed", report.total_files},
                       {"total_bytes_processed", report.total_bytes},
                       {"problems", report.problems}};
  return commit;
}

// What this leg stored comes on top of what the legs before it did.
void add_up(const BackupReport& before, BackupReport& report, const StoreCounters& counters,
            const repo::TreeWriter& tree) {
  report.data_blobs = before.data_blobs + counters.chunks;
  report.tree_blobs = before.tree_blobs + tree.stored_chunks();
  report.data_added = before.data_added + counters.plain_bytes + tree.stored_plain_bytes();
  report.data_added_packed = before.data_added_packed + counters.stored_bytes + tree.stored_bytes();
}

// A disk that isn't mounted looks like a source without files: better no snapshot than one that says so. Nor
// a checkpoint, which would be what the next run compares with.
Result<bool> guard_against_loss(const Archive& archive, Archive::End end, const BackupSpec& spec) {
  const std::string root = archive.vanished_root();
  if (root.empty() || spec.allow_shrink) return true;
  if (end == Archive::End::stopped) return false;
  return Error(Errc::guarded, root + " had files in the last snapshot and has none now")
      .hint("is it mounted? If it is meant to be empty, use --allow-empty-source");
}

// Whether the leg's end is worth a commit.
bool commits(const Run& run, Archive::End end, const Previous& previous, const Archive& archive) {
  if (run.spec.dry_run) return false;
  if (end != Archive::End::complete) return !run.series.empty() && archive.stored_anything();
  const bool same =
      previous.snapshot() != nullptr && !is_checkpoint(*previous.snapshot()) && !archive.changed_anything();
  return !(run.spec.skip_if_unchanged && same);
}

// Page hashes of files that are stored otherwise now. A full or differential run leaves those of the trees
// that others build upon.
void remove_pages(const Run& run, const Previous& previous, repo::LocalSummary summary) {
  if (previous.snapshot() == nullptr) return;
  // A file each: there may be many.
  std::sort(summary.pages.begin(), summary.pages.end());
  const bool all = run.spec.mode == model::BackupMode::incremental;
  const model::TransactionId& before = previous.snapshot()->commit.transaction;
  for (const auto& page : previous.summary().pages) {
    const bool ours = all || (is_checkpoint(*previous.snapshot()) && page.second == before);
    const bool kept = std::binary_search(summary.pages.begin(), summary.pages.end(), page);
    if (ours && !kept) PageFile::remove(run.local, page.first, page.second);
  }
}

// What the next leg or run needs to be quick. A cache: nothing here can fail the backup.
void remember(const Run& run, const Archive& archive, const Previous& previous, const repo::TreeWriter& tree,
              const repo::Snapshot& commit, repo::LocalTreeWriter& writer, model::Time start) {
  repo::LocalSummary summary;
  summary.snapshot = commit.hash;
  summary.transaction = commit.commit.transaction;
  summary.start = start;
  summary.files = commit.commit.roots.front().files;
  summary.nodes = tree.nodes();
  summary.bundles = archive.bundles();
  summary.pages = archive.pages();
  if (is_checkpoint(commit)) {
    const bool replaces_snapshot = run.spec.mode == model::BackupMode::incremental &&
                                   previous.snapshot() != nullptr && !is_checkpoint(*previous.snapshot());
    if (replaces_snapshot) link_anew(run.series, last_of(run.series));
    writer.finish(summary);
  } else {
    writer.finish(summary);
    if (run.series.empty()) return;
    ::unlink(last_of(run.series).c_str());
    if (run.spec.mode == model::BackupMode::full) link_anew(run.series, full_of(run.series));
  }
  remove_pages(run, previous, std::move(summary));
}

// Of packs that are gone, or have not been committed for long.
void forget_pieces(PieceStore& pieces, const repo::Transaction& transaction, const repo::History& history) {
  std::set<model::TransactionId> committed{transaction.id()};
  for (const repo::Snapshot& snapshot : history.commits) committed.insert(snapshot.commit.transaction);
  const auto wanted = [&](const model::PackId& pack) {
    if (!transaction.log().generation(pack)) return PieceStore::Want::no;
    return committed.contains(pack.transaction) ? PieceStore::Want::yes : PieceStore::Want::unfinished;
  };
  pieces.sweep(wanted, transaction.repository().now().seconds);
}

// Checkpoints of interrupted runs have done their work once there is a snapshot of the same source. This
// run's own are superseded by its commit, and so were all but the last of any other run.
void release_checkpoints(const Run& run, const repo::Snapshot& done, repo::LogState log) {
  if (!run.repository.secrets().log) return;
  std::map<model::RunId, model::TransactionId> last;
  for (const repo::Snapshot& c : run.history.commits) {
    model::TransactionId& id = last[c.commit.run];
    id = std::max(id, c.commit.transaction);
  }
  for (const repo::Snapshot& old : run.history.commits) {
    const model::Commit& commit = old.commit;
    const bool ours = is_checkpoint(old) && commit.domain == done.commit.domain &&
                      commit.host == done.commit.host && commit.paths == done.commit.paths &&
                      commit.run != run.id && commit.transaction == last[commit.run] &&
                      !log.abandoned.contains(commit.transaction);
    if (!ours) continue;
    const auto appended = run.repository.log().append(log, repo::Abandon{commit.transaction},
                                                      run.repository.now(), run.repository.random(), {});
    if (!appended.ok())
      run.observer.note("the checkpoint of an interrupted run stays: " + appended.error().text());
  }
}

// What was read again; and what came to be known as lost while the run went on, so that it was still relied
// upon.
void tell_losses(const Run& run, const Archive& archive, const model::References& references,
                 const repo::LogState& log, LegResult& leg) {
  if (archive.read_for_loss() > 0)
    run.observer.note(fmt::format("{} files were read again, as chunks of theirs were lost in the repository",
                                  archive.read_for_loss()));
  if (leg.end != Archive::End::complete) return;
  const bool lost = std::any_of(log.lost.begin(), log.lost.end(), [&](const auto& pack) {
    const auto at = references.find(pack.first);
    return at != references.end() && at->second.intersects(pack.second);
  });
  if (!lost) return;
  ++leg.report.problems;
  leg.report.partial = true;
  run.observer.note("chunks that this snapshot relies on were found lost meanwhile: run the backup again");
}

// Everything between open and commit. The transaction is undecided where this fails or commits nothing.
Result<LegResult> store(Run& run, repo::Transaction& transaction, std::stop_token stop) {
  const repo::Repository& repository = run.repository;
  const BackupSpec& spec = run.spec;
  const model::Time start = repository.now();
  Previous previous = TRY(open_previous(run, transaction, stop));
  const repo::Snapshot* const parent = last_snapshot(run.history, previous.snapshot());
  std::optional<Previous> baseline = open_baseline(run, previous, parent);

  LegResult leg;
  StoreCounters counters;
  model::References references;
  const chunk::GearTable gear = transaction.keys().gear_table();
  Deduplicator known(transaction, run.local, run.history);
  PieceStore pieces(run.local);
  Pipeline pipeline(worker_count(spec), {run.source, transaction, known, pieces, gear, spec.compression,
                                         spec.dry_run, counters, stop});
  repo::ChunkWriter metadata(transaction, true);
  repo::LocalTreeWriter memory(spec.dry_run ? "" : run.series, run.local.key(), repository.random());
  repo::TreeWriter tree(metadata, references, memory, previous.nodes());
  Pace pace(repository.clock(), run.interval_ns, run.checkpoint.has_value());
  Archive archive({run.source, transaction, run.local, previous, baseline ? &*baseline : nullptr, pace,
                   run.told, pipeline, tree, spec, run.observer, counters, leg.report});

  leg.end = TRY(archive.run(stop));
  TRY(pipeline.finish());
  const bool whole = TRY(guard_against_loss(archive, leg.end, spec));
  const model::Root root = TRY(tree.finish({}));
  add_up(run.stored, leg.report, counters, tree);
  if (!whole || !commits(run, leg.end, previous, archive)) return leg;
  TRY(metadata.finish({}));
  // Every chunk is in a pack; the commit makes them durable, then makes them a snapshot.
  model::Commit commit = describe(run, leg.report, root, parent);
  if (leg.end != Archive::End::complete) commit.kind = model::CommitKind::checkpoint;
  const model::Commit* before = previous.snapshot() == nullptr ? nullptr : &previous.snapshot()->commit;
  leg.report.snapshot = TRY(transaction.commit(std::move(commit), references, before, {}));

  tell_losses(run, archive, references, transaction.log(), leg);

  known.committed({});
  remember(run, archive, previous, tree, *leg.report.snapshot, memory, start);
  forget_pieces(pieces, transaction, run.history);
  if (leg.end == Archive::End::complete) release_checkpoints(run, *leg.report.snapshot, transaction.log());
  return leg;
}

}  // namespace

Result<LegResult> run_leg(Run& run, std::stop_token stop) {
  auto opened = run.spec.dry_run ? repo::Transaction::rehearse(run.repository, run.local, stop)
                                 : repo::Transaction::open(run.repository, run.local, run.id, stop);
  auto transaction = TRY(std::move(opened));
  // From here on nothing that the transaction's view of the log lets it use can be deleted under it.
  auto leg = store(run, *transaction, stop);
  if (!leg.ok() || !leg.value().report.snapshot) {
    // So that no collector has to wait for it. If this fails too, one will decide it later.
    const auto ended = transaction->withdraw(leg.ok() ? "nothing to store" : word(leg.error().kind()), {});
    if (!ended.ok() && ended.error().kind() != Errc::exists) run.observer.note(ended.error().text());
  } else if (leg.value().end != Archive::End::complete) {
    run.checkpoint = transaction->id();
    run.stored = leg.value().report;
    run.history.add(*leg.value().report.snapshot);
  }
  return leg;
}

}  // namespace holdfast::flow
