// The life of a repository on a disk that fails at its n-th operation, for every n: whatever was reported as
// done is there afterwards, what was not is there wholly or not at all, nothing is damaged, and the next run
// succeeds. A sample of the n by default; all of them, with several seeds each, with HOLDFAST_TEST_LONG=1 in
// the environment.
#include <cstdlib>

#include "flow/check.h"
#include "flow/prune.h"
#include "storage/local.h"
#include "tests/support/backup_world.h"
#include "tests/support/sim_disk.h"
#include "tests/support/slow_source.h"

namespace holdfast::flow {

namespace {

using testing::BackupWorld;
using testing::DiskFault;
using testing::FileSet;
using testing::noise;
using testing::prose;
using testing::SimDisk;
using testing::SlowSource;

constexpr const char* kPath = "/srv/repository";

FileSet first_files() {
  FileSet files;
  files.directory("home");
  for (int i = 0; i < 40; ++i)
    files.file(fmt::format("home/f{:02}", i), prose(500, static_cast<std::uint64_t>(i)));
  files.file("home/large", noise(150'000, 7));
  files.file("home/disk.img", noise(40 * 4096, 8));
  files.file("home/old", noise(300'000, 11));
  files.symlink("home/link", "large");
  return files;
}

FileSet second_files() {
  FileSet files = first_files();
  files.file("home/f07", "edited", 2);
  files.remove("home/f09");
  files.remove("home/old");  // most of a pack: to be relocated
  files.file("home/new", noise(140'000, 9), 2);
  std::string image = files.at("home/disk.img").bytes;
  image.replace(8192, 4096, noise(4096, 10));
  files.file("home/disk.img", image, 2);
  return files;
}

// What was promised so far, and what may or may not have come about.
struct Promises {
  bool created = false;
  std::map<std::string, FileSet> snapshots;   // by id
  std::optional<FileSet> in_flight;           // of a backup that did not come back
  std::set<std::string> passwords{"secret"};  // that must open it
  std::set<std::string> perhaps;              // that may
  std::set<std::string> forgotten, perhaps_forgotten;
  bool pruning = false;  // began: what is forgotten may be gone, or parts of it
};

class Life {
 public:
  explicit Life(std::uint64_t seed) : seed_(seed) { reopen(); }

  SimDisk& disk() { return disk_; }
  // Every step in order, until one fails. True where all succeeded.
  bool live();
  void after_power_loss() { disk_.crash(seed_); }
  // What must hold now, and that it goes on.
  void check_promises();
  std::uint64_t relocated() const { return relocated_; }

 private:
  bool reopen();
  bool create();
  bool back_up(const FileSet& files);
  bool forget_first();
  bool change_password();
  bool prune_all();
  void check_snapshots(const repo::Repository& repository);
  void check_passwords();
  void expect_clean(const repo::Repository& repository, const char* when);

  const std::uint64_t seed_;
  SimDisk disk_;
  std::unique_ptr<storage::Storage> storage_;
  std::optional<BackupWorld> world_;
  Promises promises_;
  std::uint64_t relocated_ = 0;  // packs, by prunes
};

bool Life::reopen() {
  auto opened = storage::open_local(disk_, kPath, storage::IfMissing::create);
  if (!opened.ok()) return false;
  auto before = std::exchange(storage_, std::move(opened).value());
  if (world_) {
    world_->use(*storage_);
  } else {
    world_.emplace(*storage_, seed_);
  }
  return true;
}

bool Life::create() {
  promises_.created = world_->create().ok();
  return promises_.created;
}

bool Life::back_up(const FileSet& files) {
  promises_.in_flight = files;
  const auto report = world_->backup(files);
  if (!report.ok()) return false;
  promises_.in_flight.reset();
  promises_.snapshots[report.value().snapshot->id] = files;
  return true;
}

bool Life::forget_first() {
  const auto repository = world_->open();
  if (!repository.ok()) return false;
  const auto history = repository.value()->history({});
  if (!history.ok() || history.value().snapshots().empty()) return false;
  const repo::Snapshot& first = *history.value().snapshots().front();
  promises_.perhaps_forgotten.insert(first.id);
  repo::LogState log = history.value().log;
  const repo::Forget forget{{first.commit.transaction}};
  if (!repository.value()->log().append(log, forget, repository.value()->now(), world_->random(), {}).ok())
    return false;
  promises_.forgotten.insert(first.id);
  return true;
}

// A new slot first, then the old one goes.
bool Life::change_password() {
  const auto repository = world_->open();
  if (!repository.ok()) return false;
  promises_.perhaps.insert("new secret");
  if (!repository.value()->add_key(as_bytes("new secret"), "second", {1, 8}, {}).ok()) return false;
  promises_.passwords.insert("new secret");
  promises_.perhaps.insert("third secret");
  if (!repository.value()->add_key(as_bytes("third secret"), "third", {1, 8}, {}).ok()) return false;
  promises_.passwords.insert("third secret");
  const auto again = world_->open("new secret");
  if (!again.ok()) return false;
  const auto keys = again.value()->keys({});
  if (!keys.ok()) return false;
  for (const auto& key : keys.value()) {
    if (key.slot.label != "third") continue;
    promises_.passwords.erase("third secret");
    promises_.perhaps.insert("third secret");
    if (!again.value()->remove_key(key.name, {}).ok()) return false;
    promises_.perhaps.erase("third secret");
  }
  return true;
}

// Everything that is dead goes at once, so that packs are deleted and others relocated.
bool Life::prune_all() {
  const auto repository = world_->open();
  if (!repository.ok()) return false;
  promises_.pruning = true;
  PruneOptions options;
  options.max_unused_percent = 0;
  options.abort_open_after_s = 0;
  options.wait_ms = 0;
  options.connections = 1;
  SilentObserver silent;
  const auto report = prune(*repository.value(), options, silent, {});
  if (report.ok()) relocated_ += report.value().relocated_packs;
  return report.ok();
}

bool Life::live() {
  return create() && back_up(first_files()) && back_up(second_files()) && back_up(second_files()) &&
         forget_first() && prune_all() && change_password() && back_up(first_files()) && prune_all();
}

void Life::expect_clean(const repo::Repository& repository, const char* when) {
  SilentObserver silent;
  CheckSpec spec;
  spec.level = CheckLevel::full;
  spec.workers = 1;
  const auto report = check(repository, spec, silent, {});
  ASSERT_TRUE(report.ok()) << report.error().text();
  for (const Finding& f : report.value().findings) {
    ADD_FAILURE() << when << ": " << word(f.severity) << " " << f.object << ": " << f.text;
  }
  EXPECT_EQ(report.value().packs_not_read(), 0u);
}

void Life::check_snapshots(const repo::Repository& repository) {
  const auto history = repository.history({});
  ASSERT_TRUE(history.ok()) << history.error().text();
  EXPECT_TRUE(history.value().unreadable.empty());
  std::set<std::string> there;
  for (const repo::Snapshot& snapshot : history.value().commits) {
    there.insert(snapshot.id);
    if (snapshot.forgotten && promises_.pruning) continue;
    const auto promised = promises_.snapshots.find(snapshot.id);
    if (promised != promises_.snapshots.end()) {
      EXPECT_EQ(difference(repository, snapshot, promised->second), "");
    } else {
      ASSERT_TRUE(promises_.in_flight.has_value()) << "a snapshot from nowhere";
      EXPECT_EQ(difference(repository, snapshot, *promises_.in_flight), "");
    }
    if (promises_.forgotten.contains(snapshot.id)) {
      EXPECT_TRUE(snapshot.forgotten);
    } else if (snapshot.forgotten) {
      EXPECT_TRUE(promises_.perhaps_forgotten.contains(snapshot.id));
    }
  }
  for (const auto& [id, files] : promises_.snapshots) {
    if (promises_.pruning && promises_.forgotten.contains(id)) continue;
    EXPECT_TRUE(there.contains(id)) << "a snapshot is lost";
  }
}

void Life::check_passwords() {
  for (const std::string& password : promises_.passwords) {
    const auto opened = world_->open(password);
    EXPECT_TRUE(opened.ok()) << password << ": " << opened.error().text();
  }
  if (!promises_.perhaps.contains("third secret") && !promises_.passwords.contains("third secret")) {
    EXPECT_FALSE(world_->open("third secret").ok());
  }
}

void Life::check_promises() {
  ASSERT_TRUE(reopen());
  if (seed_ % 3 == 0) world_->lose_cache();
  auto repository = world_->open();
  if (!promises_.created && !repository.ok()) {
    ASSERT_EQ(repository.error().kind(), Errc::no_repository) << repository.error().text();
    const auto created = world_->create();
    ASSERT_TRUE(created.ok()) << created.error().text();
    repository = world_->open();
  }
  ASSERT_TRUE(repository.ok()) << repository.error().text();
  check_snapshots(*repository.value());
  check_passwords();
  expect_clean(*repository.value(), "afterwards");
  FileSet files = second_files();
  files.file("home/f11", "edited after it all", 9);
  const auto next = world_->backup(files);
  ASSERT_TRUE(next.ok()) << next.error().text();
  EXPECT_EQ(difference(*repository.value(), *next.value().snapshot, files), "");
  expect_clean(*repository.value(), "after the next run");
  ASSERT_TRUE(prune_all());
  EXPECT_EQ(difference(*repository.value(), *next.value().snapshot, files), "");
  expect_clean(*repository.value(), "after the next prune");
}

bool all_of_them() { return std::getenv("HOLDFAST_TEST_LONG") != nullptr; }

}  // namespace

class Crash : public ::testing::TestWithParam<DiskFault> {};

TEST_P(Crash, AtAnyOperationLosesNothingThatWasPromised) {
  const std::uint64_t stride = all_of_them() ? 1 : 7;
  const std::uint64_t seeds = all_of_them() ? 3 : 1;
  bool reached = true;
  std::uint64_t n = 1;
  for (; reached; n += stride) {
    for (std::uint64_t seed = n; seed < n + seeds && reached; ++seed) {
      SCOPED_TRACE(fmt::format("operation {}, seed {}", n, seed));
      Life life(seed);
      const std::uint64_t before = life.disk().operations();
      life.disk().fault_at(n, GetParam());
      life.live();
      reached = life.disk().operations() - before >= n;
      life.disk().clear_faults();
      if (GetParam() == DiskFault::power_loss) life.after_power_loss();
      life.check_promises();
      if (HasFailure()) return;
    }
  }
  EXPECT_GT(n, 200u);
}

// What is there without a fault: so that the tests above test what they say.
TEST(Life, WithoutAFaultEverythingIsDone) {
  Life life(1);
  EXPECT_TRUE(life.live());
  EXPECT_GT(life.relocated(), 0u);
  life.check_promises();
}

namespace {

// A run of twelve files, a minute each, with a checkpoint about every three.
class LongRun {
 public:
  static constexpr int kFiles = 12;
  explicit LongRun(std::uint64_t seed) : seed_(seed) {
    reopen();
    world_.emplace(*storage_, seed);
    files_.directory("home");
    for (int i = 0; i < kFiles; ++i)
      files_.file(fmt::format("home/f{:02}", i), noise(140'000, static_cast<std::uint64_t>(i)));
  }
  SimDisk& disk() { return disk_; }
  Result<void> create() { return world_->create(); }
  // How many files it read; and its snapshot, where it came to the end.
  int back_up(std::optional<repo::Snapshot>& snapshot) {
    BackupSpec spec = BackupWorld::spec();
    spec.checkpoint_interval_s = 180;
    SlowSource source(files_, world_->clock(), 60'000'000'000);
    auto report = world_->backup_from(source, spec);
    snapshot = report.ok() ? report.value().snapshot : std::nullopt;
    return source.opened;
  }
  void after_power_loss() {
    disk_.clear_faults();
    disk_.crash(seed_);
    reopen();
    world_->use(*storage_);
  }
  // Files in each checkpoint, from the first to the last.
  std::vector<int> checkpoints() {
    std::vector<int> out;
    const auto history = world_->open().value()->history({});
    for (const repo::Snapshot& s : history.value().commits) {
      if (s.commit.kind != model::CommitKind::checkpoint) continue;
      out.push_back(static_cast<int>(s.commit.roots.front().files));
    }
    std::sort(out.begin(), out.end());
    return out;
  }
  void expect_whole(const repo::Snapshot& snapshot) {
    const auto repository = std::move(world_->open()).value();
    EXPECT_EQ(difference(*repository, snapshot, files_), "");
    SilentObserver silent;
    CheckSpec spec;
    spec.level = CheckLevel::full;
    spec.workers = 1;
    const auto report = check(*repository, spec, silent, {});
    ASSERT_TRUE(report.ok());
    for (const Finding& f : report.value().findings) ADD_FAILURE() << f.object << ": " << f.text;
  }

 private:
  void reopen() {
    auto opened = storage::open_local(disk_, kPath, storage::IfMissing::create);
    ASSERT_TRUE(opened.ok());
    storage_ = std::move(opened).value();
  }
  const std::uint64_t seed_;
  SimDisk disk_;
  std::unique_ptr<storage::Storage> storage_;
  std::optional<BackupWorld> world_;
  FileSet files_;
};

}  // namespace

TEST(LongRun, AfterAPowerLossTheNextRunReadsOnlyTheRest) {
  int saved_most = 0;
  bool reached = true;
  for (std::uint64_t n = 1; reached; n += all_of_them() ? 1 : 5) {
    SCOPED_TRACE(fmt::format("operation {}", n));
    LongRun run(n);
    ASSERT_TRUE(run.create().ok());
    const std::uint64_t before = run.disk().operations();
    run.disk().fault_at(n, DiskFault::power_loss);
    std::optional<repo::Snapshot> snapshot;
    run.back_up(snapshot);
    reached = run.disk().operations() - before >= n;
    run.after_power_loss();
    const std::vector<int> checkpoints = run.checkpoints();
    const bool done = snapshot.has_value();
    const int read = run.back_up(snapshot);
    ASSERT_TRUE(snapshot.has_value());
    run.expect_whole(*snapshot);
    if (done) {
      EXPECT_EQ(read, 0);
      continue;
    }
    // The last checkpoint may have come about right when the power went, before anybody noted so.
    const std::size_t noted = checkpoints.size() < 2 ? 0 : checkpoints.size() - 2;
    EXPECT_LE(read, LongRun::kFiles - (checkpoints.size() < 2 ? 0 : checkpoints[noted]));
    if (!checkpoints.empty() && read == LongRun::kFiles - checkpoints.back())
      saved_most = std::max(saved_most, checkpoints.back());
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GE(saved_most, 9);
}

INSTANTIATE_TEST_SUITE_P(Faults, Crash,
                         ::testing::Values(DiskFault::power_loss, DiskFault::io_error, DiskFault::no_space));

}  // namespace holdfast::flow
