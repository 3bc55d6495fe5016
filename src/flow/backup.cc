#include "flow/backup.h"

#include <unistd.h>

#include <thread>

#include "flow/archive.h"
#include "flow/page_range.h"

namespace holdfast::flow {

namespace {

unsigned worker_count(const BackupSpec& spec) {
  return spec.workers != 0 ? spec.workers : std::max(2u, std::thread::hardware_concurrency());
}

// The local copy that a run builds upon, and the one that it leaves.
std::string series(const repo::LocalState& local, const BackupSpec& spec) {
  return spec.remember ? local.series_file(spec.host, spec.paths) : "";
}

std::string built_upon(const std::string& series, const BackupSpec& spec) {
  if (series.empty() || spec.mode == model::BackupMode::full) return "";
  return spec.mode == model::BackupMode::differential ? series + ".full" : series;
}

model::Commit describe(const BackupSpec& spec, const BackupReport& report, const model::Root& root,
                       const repo::Snapshot* parent, model::Time start, model::Time end) {
  model::Commit commit;
  commit.partial = report.partial;
  commit.mode = spec.mode;
  commit.start = spec.time.value_or(start);
  commit.end = spec.time.value_or(end);
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

void add_up(BackupReport& report, const StoreCounters& counters, const repo::TreeWriter& tree) {
  report.data_blobs = counters.chunks;
  report.tree_blobs = tree.stored_chunks();
  report.data_added = counters.plain_bytes + tree.stored_plain_bytes();
  report.data_added_packed = counters.stored_bytes + tree.stored_bytes();
}

// A disk that isn't mounted looks like a source without files: better no snapshot than one that says so.
Result<void> guard_against_loss(const Archive& archive, const BackupSpec& spec) {
  const std::string root = archive.vanished_root();
  if (root.empty() || spec.allow_shrink) return {};
  return Error(Errc::guarded, root + " had files in the last snapshot and has none now")
      .hint("is it mounted? If it is meant to be empty, use --allow-empty-source");
}

// What the next run needs to be quick. A cache: nothing here can fail the backup.
void remember(const Archive& archive, const Previous& previous, const repo::TreeWriter& tree,
              const repo::Snapshot& snapshot, const std::string& file, const repo::LocalState& local,
              repo::LocalTreeWriter& writer, model::Time start) {
  repo::LocalSummary summary;
  summary.snapshot = snapshot.hash;
  summary.transaction = snapshot.commit.transaction;
  summary.start = start;
  summary.files = snapshot.commit.roots.front().files;
  summary.nodes = tree.nodes();
  summary.bundles = archive.bundles();
  summary.pages = archive.pages();
  writer.finish(summary);
  if (snapshot.commit.mode == model::BackupMode::full && !file.empty()) {
    ::unlink((file + ".full").c_str());
    if (::link(file.c_str(), (file + ".full").c_str()) != 0) return;
  }
  if (snapshot.commit.mode != model::BackupMode::incremental) return;
  std::sort(summary.pages.begin(), summary.pages.end());  // a file each: there may be many
  for (const auto& page : previous.summary().pages) {
    const bool kept = std::binary_search(summary.pages.begin(), summary.pages.end(), page);
    if (!kept) PageFile::remove(local, page.first, page.second);
  }
}

// Of packs that are gone, or were never committed.
void forget_pieces(PieceStore& pieces, const repo::Transaction& transaction, const repo::History& history) {
  pieces.sweep([&](const model::PackId& pack) {
    const bool committed = pack.transaction == transaction.id() || history.find(pack.transaction) != nullptr;
    return committed && transaction.log().generation(pack).has_value();
  });
}

// Checkpoints of interrupted runs have done their work once there is a snapshot of the same source.
void release_checkpoints(const repo::Repository& repository, const repo::History& history,
                         const repo::Snapshot& done, repo::LogState log, Observer& observer) {
  if (!repository.secrets().log) return;
  for (const repo::Snapshot& old : history.commits) {
    const bool ours = old.commit.kind == model::CommitKind::checkpoint &&
                      old.commit.host == done.commit.host && old.commit.paths == done.commit.paths &&
                      !log.abandoned.contains(old.commit.transaction);
    if (!ours) continue;
    const auto appended = repository.log().append(log, repo::Abandon{old.commit.transaction},
                                                  repository.now(), repository.random(), {});
    if (!appended.ok())
      observer.note("the checkpoint of an interrupted run stays: " + appended.error().text());
  }
}

// Everything between open and commit. Its transaction is undecided where this fails.
Result<BackupReport> store_snapshot(source::Source& source, repo::Transaction& transaction,
                                    repo::LocalState& local, const repo::History& history,
                                    const BackupSpec& spec, Observer& observer, std::stop_token stop) {
  const repo::Repository& repository = transaction.repository();
  const model::Time start = repository.now();
  const std::string file = series(local, spec);
  Previous previous = TRY(Previous::open(built_upon(file, spec), transaction, local, history, stop));

  BackupReport report;
  StoreCounters counters;
  model::References references;
  const chunk::GearTable gear = repository.gear_table();
  Deduplicator known(transaction, local, history);
  PieceStore pieces(local);
  Pipeline pipeline(worker_count(spec),
                    {source, transaction, known, pieces, gear, spec.compression, spec.dry_run, counters}, {});
  repo::ChunkWriter metadata(transaction, true);
  repo::LocalTreeWriter memory(spec.dry_run ? "" : file, local.key(), repository.random());
  repo::TreeWriter tree(repository, metadata, references, memory, previous.summary().nodes);
  Archive archive({source, transaction, local, previous, pipeline, tree, spec, observer, counters, report});

  const bool finished = TRY(archive.run(stop));
  TRY(pipeline.finish());
  if (finished) TRY(guard_against_loss(archive, spec));
  const model::Root root = TRY(tree.finish({}));
  add_up(report, counters, tree);
  const bool unchanged = finished && previous.snapshot() != nullptr && !archive.changed_anything();
  if (spec.dry_run || (spec.skip_if_unchanged && unchanged)) return report;
  TRY(metadata.finish({}));
  // Every chunk is in a pack; the commit makes them durable, then makes them a snapshot.
  model::Commit commit = describe(spec, report, root, previous.snapshot(), start, repository.now());
  if (!finished) commit.kind = model::CommitKind::checkpoint;
  const model::Commit* before = previous.snapshot() == nullptr ? nullptr : &previous.snapshot()->commit;
  report.snapshot = TRY(transaction.commit(std::move(commit), references, before, {}));

  known.committed({});
  remember(archive, previous, tree, *report.snapshot, file, local, memory, start);
  forget_pieces(pieces, transaction, history);
  if (!finished) return Error(Errc::stopped, "stopped; what was read so far is kept for the next run");
  release_checkpoints(repository, history, *report.snapshot, transaction.log(), observer);
  return report;
}

}  // namespace

Result<BackupReport> backup(source::Source& source, const repo::Repository& repository,
                            repo::LocalState& local, const BackupSpec& spec, Observer& observer,
                            std::stop_token stop) {
  const repo::History history = TRY(repository.history(stop));
  auto opened = spec.dry_run
                    ? repo::Transaction::rehearse(repository, local, stop)
                    : repo::Transaction::open(repository, local, repository.random().array<16>(), stop);
  auto transaction = TRY(std::move(opened));
  // From here on nothing that the transaction's view of the log lets it use can be deleted under it.
  auto report = store_snapshot(source, *transaction, local, history, spec, observer, stop);
  const bool committed =
      report.ok() ? report.value().snapshot.has_value() : report.error().kind() == Errc::stopped;
  if (!committed) {
    // So that no collector has to wait for it. If this fails too, one will decide it later.
    const auto ended = transaction->withdraw(report.ok() ? "nothing to store" : report.error().message(), {});
    if (!ended.ok() && ended.error().kind() != Errc::exists) observer.note(ended.error().text());
  }
  return report;
}

}  // namespace holdfast::flow
