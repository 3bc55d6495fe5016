// What the suites of garbage collection share: a repository in memory, backups of a few files given as
// values, restores as values, and prunes.
#pragma once

#include "flow/backup.h"
#include "flow/prune.h"
#include "storage/memory.h"
#include "tests/support/fake_clock.h"
#include "tests/support/interposed_storage.h"
#include "tests/support/seeded_random.h"

namespace holdfast::testing {

using Files = std::map<std::string, std::string>;

// `size_bytes` bytes that don't compress, a function of `number`.
std::string noise(std::uint64_t number, std::size_t size_bytes);

// A repository's content, and whatever a client of it needs.
struct World {
  explicit World(std::uint64_t seed);
  // The store must outlive what is opened. Fails where the store does.
  Result<std::unique_ptr<repo::Repository>> open(storage::Storage& store);
  // On the store itself.
  std::unique_ptr<repo::Repository> open() { return open(*plain).value(); }
  std::vector<std::string> names(std::string_view prefix) const;

  std::shared_ptr<storage::MemoryContent> content = std::make_shared<storage::MemoryContent>();
  std::unique_ptr<storage::Storage> plain = storage::open_memory(content);
  FakeClock clock;
  SeededRandom random;
};

// One machine: the repository, and local state in `cache`, "" for none.
struct Machine {
  Machine(World& world, std::unique_ptr<repo::Repository> repository, const std::string& cache);

  Result<flow::BackupReport> back_up(const Files& files, const std::string& tag, std::stop_token stop = {});
  // With a checkpoint after each large file.
  Result<flow::BackupReport> back_up_in_legs(const Files& files, const std::string& tag);
  // Stopped before the file `stop_at`, so that a checkpoint is committed.
  Result<flow::BackupReport> back_up_partly(const Files& files, const std::string& tag, std::size_t stop_at);
  Result<flow::PruneReport> prune(const flow::PruneOptions& options);
  Result<Files> restore(const repo::Snapshot& snapshot, const repo::LogState& log);
  // All snapshots by their first tag.
  Result<std::map<std::string, Files>> restore_all();

  World& world;
  std::unique_ptr<repo::Repository> repository;
  std::unique_ptr<repo::LocalState> local;
  std::string machine = "host";
};

// Nothing waits, everything unfinished is aborted, every dead byte goes.
flow::PruneOptions thorough();

}  // namespace holdfast::testing
