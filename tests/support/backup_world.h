// BackupWorld: a repository, a machine that backs up to it, and files given as values; all deterministic by
// seed. And reading a snapshot back to compare it with what was backed up.
#pragma once

#include <map>

#include "flow/backup.h"
#include "source/memory.h"
#include "storage/storage.h"
#include "tests/support/fake_clock.h"
#include "tests/support/scratch_dir.h"
#include "tests/support/seeded_random.h"

namespace holdfast::testing {

// Files by path. A file's version goes into its times, so that a changed one is seen to be.
class FileSet {
 public:
  source::MemoryFile& file(const std::string& path, std::string bytes, int version = 1);
  source::MemoryFile& directory(const std::string& path, int version = 1);
  source::MemoryFile& symlink(const std::string& path, std::string target);
  void remove(const std::string& path) { files_.erase(path); }
  source::MemoryFile& at(const std::string& path) { return files_.at(path); }
  bool contains(const std::string& path) const { return files_.contains(path); }
  const std::map<std::string, source::MemoryFile>& all() const { return files_; }
  std::vector<source::MemoryFile> list() const;

 private:
  source::MemoryFile& add(const std::string& path, model::FileType type, int version);
  std::map<std::string, source::MemoryFile> files_;
};

// Noise, which does not compress and has no repeats.
std::string noise(std::size_t bytes, std::uint64_t seed);
// Compressible text.
std::string prose(std::size_t bytes, std::uint64_t seed);

class BackupWorld {
 public:
  BackupWorld(storage::Storage& storage, std::uint64_t seed);

  // The store was opened anew.
  void use(storage::Storage& storage) { storage_ = &storage; }
  // The machine loses what it remembered about the repository.
  void lose_cache() { cache_ = std::make_unique<ScratchDir>(); }

  repo::Doors doors() { return {*storage_, clock_, random_}; }
  FakeClock& clock() { return clock_; }
  SeededRandom& random() { return random_; }
  const std::string& cache() const { return cache_->path(); }

  Result<void> create(const repo::CreateOptions* like = nullptr);
  Result<std::unique_ptr<repo::Repository>> open(std::string_view password = "secret");

  static flow::BackupSpec spec();
  // Opens the repository, backs up an hour later than the last time, on one thread unless `spec` says more.
  Result<flow::BackupReport> backup(const FileSet& files, const flow::BackupSpec& spec = BackupWorld::spec(),
                                    flow::Observer* observer = nullptr, std::stop_token stop = {});
  Result<flow::BackupReport> backup_from(source::Source& source, const flow::BackupSpec& spec,
                                         flow::Observer* observer = nullptr, std::stop_token stop = {});

 private:
  storage::Storage* storage_;
  FakeClock clock_;
  SeededRandom random_;
  std::unique_ptr<ScratchDir> cache_ = std::make_unique<ScratchDir>();
};

// How the snapshot differs from `files`: "" if not at all.
std::string difference(const repo::Repository& repository, const repo::Snapshot& snapshot,
                       const FileSet& files);
// All entries of a snapshot's tree.
Result<std::map<std::string, model::Entry>> entries_of(const repo::Repository& repository,
                                                       const repo::Snapshot& snapshot);

// Names of objects of the store with that prefix.
std::vector<std::string> names(storage::Storage& storage, std::string_view prefix);

}  // namespace holdfast::testing
