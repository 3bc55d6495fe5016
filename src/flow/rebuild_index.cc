#include "flow/rebuild_index.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/names_in.h"
#include "base/open_beneath.h"
#include "sink/remove.h"

namespace holdfast::flow {

namespace {

// Records sorted in memory at once when they go into the index: 5 MiB.
constexpr std::uint32_t kIndexRunRecords = 128 * 1024;

// Files below the directory, and their bytes, for the report; what can't be looked at isn't counted.
void count(int parent, const std::string& name, IndexReport& report) {
  struct stat st;
  if (::fstatat(parent, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) return;
  if (S_ISREG(st.st_mode)) {
    ++report.files_removed;
    report.bytes_removed += static_cast<std::uint64_t>(st.st_size);
  }
  if (!S_ISDIR(st.st_mode)) return;
  const Fd fd = open_beneath(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (!fd.valid()) return;
  const auto names = names_in(fd.get());
  if (!names.ok()) return;
  for (const std::string& inner : names.value()) count(fd.get(), inner, report);
}

// Everything in the folder but who this machine writes as. What can't be removed doesn't keep a new index
// from being made, which looks for itself.
void remove_caches(const std::string& directory, bool dry_run, IndexReport& report) {
  const Fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return;
  const auto names = names_in(fd.get());
  if (!names.ok()) return;
  for (const std::string& name : names.value()) {
    if (name == "writer") continue;
    if (name.starts_with("domain-")) {  // a key domain's folder: a backup to it makes what it needs anew
      remove_caches(directory + "/" + name, dry_run, report);
      continue;
    }
    count(fd.get(), name, report);
    if (!dry_run) static_cast<void>(sink::remove_tree(fd.get(), name, directory + "/" + name));
  }
}

// By a prune beside us, since the history was read.
bool removed_meanwhile(const repo::Repository& repository, const repo::History& history,
                       const model::TransactionId& id, std::stop_token stop) {
  repo::LogState now = history.log;
  return repository.log().follow(now, std::move(stop)).ok() && now.retired(id);
}

}  // namespace

std::unique_ptr<repo::Index> open_index(const repo::Repository& repository, const repo::LocalState& local) {
  repo::IndexLimits limits;
  limits.run_records = kIndexRunRecords;
  return repo::Index::open(local.directory() + "/index", local.key().copy(), limits, repository.random());
}

IndexReport add_commits(repo::Index& index, const repo::Repository& repository, const repo::History& history,
                        model::Domain domain, const Unreadable& unreadable, std::stop_token stop) {
  IndexReport report;
  for (const repo::Snapshot& snapshot : history.commits) {
    const model::TransactionId& id = snapshot.commit.transaction;
    if (snapshot.commit.domain != domain || index.covers(id)) continue;
    const auto manifest = repository.read_manifest(id, stop);
    if (!manifest.ok()) {
      if (removed_meanwhile(repository, history, id, stop)) continue;
      ++report.unreadable;
      unreadable(id, manifest.error());
      continue;
    }
    auto addition = index.addition();
    for (const model::ManifestPack& pack : manifest.value().packs) {
      for (std::uint32_t slot = 0; slot < pack.chunks.size(); ++slot) {
        const model::ManifestChunk& chunk = pack.chunks[slot];
        addition.put({model::short_id(chunk.id), {{id, pack.pack}, slot}, 0, chunk.plain_bytes});
      }
      report.chunks += pack.chunks.size();
    }
    addition.commit({&id, 1});
    ++report.transactions;
  }
  return report;
}

Result<IndexReport> rebuild_index(const repo::Repository& repository, const repo::LocalState& local,
                                  bool dry_run, Observer& observer, std::stop_token stop) {
  if (local.trouble()) return local.trouble()->copy().context("no index can be made");
  if (local.directory().empty()) {
    return Error(Errc::usage, "this machine keeps no cache of the repository, so there is no index")
        .hint("leave --no-cache away, or name a folder with --cache-dir");
  }
  const repo::History history = TRY(repository.readable_history(stop));
  IndexReport removed;
  remove_caches(local.directory(), dry_run, removed);
  if (dry_run) return removed;
  const auto index = open_index(repository, local);
  if (index == nullptr) return Error(Errc::failed, "no index can be made in " + local.directory());
  IndexReport report = add_commits(
      *index, repository, history, local.keys()->domain(),
      [&](const model::TransactionId& id, const Error& error) {
        observer.problem(repo::transaction_name(id, "man"), "repair", error);
      },
      stop);
  if (stop.stop_requested()) return Error(Errc::stopped, "stopped");
  report.files_removed = removed.files_removed;
  report.bytes_removed = removed.bytes_removed;
  return report;
}

}  // namespace holdfast::flow
