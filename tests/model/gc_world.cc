#include "tests/model/gc_world.h"

#include "repo/tree_reader.h"
#include "source/memory.h"

namespace holdfast::testing {

namespace {

constexpr std::string_view kPassword = "correct horse";

// Gives what `inner` gives, and has the backup stopped before the file of that number.
class StoppingSource final : public source::Source {
 public:
  StoppingSource(source::Source& inner, std::size_t stop_at, std::stop_source& stop)
      : inner_(inner), stop_at_(stop_at), stop_(stop) {}
  bool repeatable() const override { return false; }
  Result<bool> next(source::Item& item, std::stop_token) override {
    if (given_++ == stop_at_) stop_.request_stop();
    return inner_.next(item, {});
  }
  Result<void> complete(source::Item& item) override { return inner_.complete(item); }
  Result<std::unique_ptr<source::Content>> open(const source::Item& item) override {
    return inner_.open(item);
  }

 private:
  source::Source& inner_;
  const std::size_t stop_at_;
  std::stop_source& stop_;
  std::size_t given_ = 0;
};

// Each file that is opened takes a second, so that a run which is to commit a checkpoint every second does so
// after each of the larger ones.
class SlowSource final : public source::Source {
 public:
  SlowSource(source::Source& inner, FakeClock& clock) : inner_(inner), clock_(clock) {}
  Result<bool> next(source::Item& item, std::stop_token stop) override { return inner_.next(item, stop); }
  Result<void> complete(source::Item& item) override { return inner_.complete(item); }
  Result<std::unique_ptr<source::Content>> open(const source::Item& item) override {
    clock_.advance_ns(1'000'000'000);
    return inner_.open(item);
  }
  bool repeatable() const override { return true; }
  Result<void> restart() override { return inner_.restart(); }

 private:
  source::Source& inner_;
  FakeClock& clock_;
};

source::MemorySource source_of(const Files& files) {
  std::vector<source::MemoryFile> out;
  for (const auto& [path, bytes] : files) {
    source::MemoryFile file;
    file.item.entry.path = path;
    file.item.entry.attributes.mode = 0644;
    const auto version = static_cast<std::int64_t>(std::hash<std::string>()(bytes) % 100'000'000);
    file.item.entry.mtime = {version, 0};  // another content, another time
    file.item.stamp = {std::hash<std::string>()(path), {version, 0}};
    file.bytes = bytes;
    out.push_back(std::move(file));
  }
  return source::MemorySource(std::move(out));
}

flow::BackupSpec spec_of(const std::string& machine, const std::string& tag) {
  flow::BackupSpec spec;
  spec.host = machine;
  spec.program = "test";
  spec.paths = {"/"};
  spec.tags = {tag};
  spec.workers = 1;
  spec.allow_shrink = true;
  return spec;
}

}  // namespace

std::string noise(std::uint64_t number, std::size_t size_bytes) {
  std::mt19937_64 engine(number);
  std::string out(size_bytes, '\0');
  for (std::size_t at = 0; at < size_bytes; at += 8) {
    const std::uint64_t word = engine();
    std::memcpy(out.data() + at, &word, std::min<std::size_t>(8, size_bytes - at));
  }
  return out;
}

World::World(std::uint64_t seed) : random(seed) {
  repo::CreateOptions options;
  options.cost = {.passes = 1, .memory_kib = 8};
  repo::Repository::create({*plain, clock, random}, as_bytes(kPassword), options, {}).value();
}

Result<std::unique_ptr<repo::Repository>> World::open(storage::Storage& store) {
  return repo::Repository::open({store, clock, random}, as_bytes(kPassword), {});
}

std::vector<std::string> World::names(std::string_view prefix) const {
  const std::lock_guard lock(content->mutex);
  std::vector<std::string> out;
  for (const auto& [name, bytes] : content->objects) {
    if (name.rfind(prefix, 0) == 0) out.push_back(name);
  }
  return out;
}

Machine::Machine(World& shared, std::unique_ptr<repo::Repository> opened, const std::string& cache)
    : world(shared), repository(std::move(opened)), local(repo::LocalState::open(cache, *repository)) {}

Result<flow::BackupReport> Machine::back_up(const Files& files, const std::string& tag,
                                            std::stop_token stop) {
  source::MemorySource source = source_of(files);
  flow::SilentObserver silent;
  return flow::backup(source, *repository, *local, spec_of(machine, tag), silent, stop);
}

Result<flow::BackupReport> Machine::back_up_in_legs(const Files& files, const std::string& tag) {
  source::MemorySource source = source_of(files);
  SlowSource slow(source, world.clock);
  flow::SilentObserver silent;
  flow::BackupSpec spec = spec_of(machine, tag);
  spec.checkpoint_interval_s = 1;
  return flow::backup(slow, *repository, *local, spec, silent, {});
}

Result<flow::BackupReport> Machine::back_up_partly(const Files& files, const std::string& tag,
                                                   std::size_t stop_at) {
  source::MemorySource source = source_of(files);
  std::stop_source stop;
  StoppingSource stopping(source, stop_at, stop);
  flow::SilentObserver silent;
  return flow::backup(stopping, *repository, *local, spec_of(machine, tag), silent, stop.get_token());
}

Result<flow::PruneReport> Machine::prune(const flow::PruneOptions& options) {
  flow::SilentObserver silent;
  return flow::prune(*repository, options, silent, {});
}

Result<Files> Machine::restore(const repo::Snapshot& snapshot, const repo::LogState& log) {
  Files files;
  repo::ChunkReader trees(*repository, log);
  repo::ChunkReader chunks(*repository, log);
  for (const model::Root& root : snapshot.commit.roots) {
    repo::TreeReader tree(trees, root);
    for (;;) {
      const model::Entry* entry = TRY(tree.next({}));
      if (entry == nullptr) break;
      std::string& bytes = files[entry->path];
      for (const model::Extent& extent : entry->content) {
        if (extent.hole) {
          bytes.append(extent.length, '\0');
          continue;
        }
        const Bytes plain = TRY(chunks.read(extent.chunk, {}));
        bytes += as_text(plain.subspan(extent.offset, extent.length));
      }
    }
  }
  return files;
}

Result<std::map<std::string, Files>> Machine::restore_all() {
  const repo::History history = TRY(repository->history({}));
  std::map<std::string, Files> out;
  for (const repo::Snapshot* snapshot : history.snapshots()) {
    Files files = TRY_AS(restore(*snapshot, history.log), snapshot->tags.at(0));
    out.emplace(snapshot->tags.at(0), std::move(files));
  }
  return out;
}

flow::PruneOptions thorough() {
  flow::PruneOptions options;
  options.max_unused_percent = 0;
  options.abort_open_after_s = 0;
  options.wait_ms = 0;
  options.connections = 1;
  return options;
}

}  // namespace holdfast::testing
