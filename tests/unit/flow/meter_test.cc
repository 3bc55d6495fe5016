// What progress tells beyond what the backup knows: bytes of a file that is not done, and totals by a second
// walk.
#include "flow/meter.h"

#include "storage/memory.h"
#include "tests/support/backup_world.h"

namespace holdfast::flow {

namespace {

using testing::BackupWorld;
using testing::FileSet;
using testing::noise;

class Recorder final : public Observer {
 public:
  void progress(const Progress& progress, std::string_view current) override {
    const std::lock_guard lock(mutex_);
    all.push_back(progress);
    currents.insert(std::string(current));
  }
  void problem(std::string_view, std::string_view, const Error&) override {}
  void item(std::string_view, std::string_view, std::uint64_t) override {}
  void note(std::string_view) override {}

  std::vector<Progress> all;
  std::set<std::string> currents;

 private:
  std::mutex mutex_;  // guards all
};

class MeterTest : public ::testing::Test {
 protected:
  MeterTest() : storage_(storage::open_memory()), world_(*storage_, 1) {
    EXPECT_TRUE(world_.create().ok());
    files_.directory("home");
    files_.file("home/large", noise(20'000'000, 1));
    files_.file("home/image", noise(8 * kMiB, 2));
    auto& sparse = files_.file("home/sparse", noise(kMiB, 3) + std::string(4'000'000, '\0'));
    sparse.holes = {{kMiB, kMiB + 4'000'000}};
    files_.file("home/small", "x");
  }

  // The progress of one backup.
  void backup(std::unique_ptr<source::Source> ahead, unsigned workers, Recorder& seen) {
    BackupSpec spec = BackupWorld::spec();
    spec.workers = workers;
    source::MemorySource source(files_.list());
    Meter meter(source, seen, std::move(ahead));
    const auto report = world_.backup_from(meter, spec, &meter);
    EXPECT_TRUE(report.ok());
  }
  std::uint64_t total() const {
    std::uint64_t bytes = 0;
    for (const auto& [path, file] : files_.all()) bytes += file.bytes.size();
    return bytes;
  }

  std::unique_ptr<storage::Storage> storage_;
  BackupWorld world_;
  FileSet files_;
};

// As many as one takes, until it is told to stop.
class Endless final : public source::Source {
 public:
  bool repeatable() const override { return false; }
  Result<bool> next(source::Item& item, std::stop_token stop) override {
    if (stop.stop_requested()) return Error(Errc::stopped, "stopped");
    item.entry.path = "x";
    return true;
  }
  Result<void> complete(source::Item&) override { return {}; }
  Result<std::unique_ptr<source::Content>> open(const source::Item&) override {
    return Error(Errc::unsupported, "not to be read");
  }
};

}  // namespace

TEST_F(MeterTest, TellsBytesOfFilesThatAreNotDone) {
  for (const unsigned workers : {1u, 3u}) {
    Recorder seen;
    backup(nullptr, workers, seen);
    std::uint64_t before = 0;
    std::size_t within = 0;
    for (const Progress& progress : seen.all) {
      EXPECT_GE(progress.bytes_done, before);
      EXPECT_LE(progress.bytes_done, total());
      within += progress.bytes_done != before && progress.files_done == 0 ? 1 : 0;
      before = progress.bytes_done;
    }
    EXPECT_EQ(before, total());
    EXPECT_GT(within, 4u);
    EXPECT_TRUE(seen.currents.contains("home/large"));
    files_.file("home/large", noise(20'000'001, workers), 7);
    world_.lose_cache();
  }
}

TEST_F(MeterTest, CountsAheadWhereThereIsNothingToGoBy) {
  Recorder seen;
  Endless unused;
  Meter meter(unused, seen, std::make_unique<source::MemorySource>(files_.list()));
  do {
    meter.progress({}, "");
  } while (seen.all.back().files_total == 0);
  EXPECT_EQ(seen.all.back().files_total, 4u);
  EXPECT_EQ(seen.all.back().bytes_total, total());
  // What the backup knows itself goes before.
  meter.progress({.files_done = 0, .bytes_done = 0, .files_total = 9, .bytes_total = 10, .errors = 0}, "");
  EXPECT_EQ(seen.all.back().files_total, 9u);
}

TEST_F(MeterTest, TheCountEndsWithTheBackup) {
  Recorder seen;
  backup(std::make_unique<Endless>(), 2, seen);
  for (const Progress& progress : seen.all) EXPECT_EQ(progress.files_total, 0u);
}

}  // namespace holdfast::flow
