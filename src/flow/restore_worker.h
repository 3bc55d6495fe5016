// What the threads of a restore do: batches of files, and pieces of large ones. One worker belongs to one
// thread.
#pragma once

#include <atomic>
#include <deque>
#include <mutex>
#include <set>

#include "flow/restore.h"

namespace holdfast::flow {

// A large file that several threads write; the last one ends it.
struct SharedFile {
  model::Entry entry;
  std::unique_ptr<sink::FileWriter> writer;
  std::atomic<std::uint32_t> pieces_left{0};
  std::atomic<bool> failed{false};
};

struct RestoreTask {
  struct File {
    model::Entry entry;
    sink::Action action;
  };
  std::vector<File> files;             // whole files …
  std::shared_ptr<SharedFile> shared;  // … or the extents [first, last) of a large one, from `offset` on
  std::size_t first = 0, last = 0;
  std::uint64_t offset = 0;
};

struct RestoreContext {
  const repo::Repository& repository;
  const repo::LogState& log;
  sink::DirectorySink& sink;
  Observer& observer;
  const RestoreSpec& spec;
  std::atomic<std::uint64_t> files_restored{0}, bytes_restored{0}, verified_files{0}, problems{0};
  std::atomic<std::uint64_t> bytes_written{0}, bytes_matched{0};

  void fail(const std::string& path, std::string_view during, const Error& error) {
    ++problems;
    observer.problem(path, during, error);
  }
  // The same of a file, which may have other names: these must not be linked to what it is now.
  void fail_file(const model::Entry& entry, std::string_view during, const Error& error) {
    fail(entry.path, during, error);
    if (entry.link_group == 0) return;
    const std::lock_guard lock(mutex);
    failed_groups.insert(entry.link_group);
  }
  void tell(RestoreReport& report) const {
    report.files_restored = files_restored;
    report.bytes_restored = bytes_restored;
    report.bytes_written = bytes_written;
    report.bytes_matched = bytes_matched;
    report.verified_files = verified_files;
    report.problems = problems;
  }
  // What of damaged packs could be made good is told once, though every worker meets it.
  repo::ChunkReader& watch(repo::ChunkReader& chunks) {
    chunks.on_rebuilt = [this](const std::string& object, const std::string& note) {
      const std::lock_guard lock(mutex);
      if (told.insert(object + ": " + note).second) observer.note(object + ": " + note);
    };
    return chunks;
  }
  std::mutex mutex{};  // guards what is below
  std::set<std::uint64_t> failed_groups{};
  std::set<std::string> told{};
};

class RestoreWorker {
 public:
  explicit RestoreWorker(RestoreContext& context);
  // Errors of files are reported to the context; returned is only that it was stopped.
  Result<void> run(RestoreTask& task, std::stop_token stop);

 private:
  Result<void> restore_file(const RestoreTask::File& file, std::stop_token stop);
  void run_piece(RestoreTask& task, std::stop_token stop);
  Result<void> write(sink::FileWriter& writer, const model::Extent& extent, std::uint64_t at,
                     std::stop_token stop);
  Result<void> verify(const model::Entry& entry, std::stop_token stop);
  Result<bool> is_there(const sink::FileWriter& writer, const model::Extent& extent, std::uint64_t at);
  Result<void> finish(sink::FileWriter& writer, const model::Entry& entry);
  Result<Bytes> bytes_of(const model::Extent& extent, std::stop_token stop);

  RestoreContext& context_;
  repo::ChunkReader chunks_;
  Buffer read_back_;
};

}  // namespace holdfast::flow
