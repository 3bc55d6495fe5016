// Restores into a directory: all of a snapshot or parts of it, over what is there, from damaged packs, and
// for show only.
#include "flow/restore.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <fstream>

#include "base/inode_flags.h"
#include "model/flags.h"
#include "repo/transaction.h"
#include "tests/support/on_memory.h"
#include "tests/support/passing_storage.h"

namespace holdfast::flow {

namespace {

namespace fs = std::filesystem;
using testing::BackupWorld;
using testing::FileSet;
using testing::names;
using testing::noise;
using testing::prose;
using testing::ScratchDir;

class Recorder final : public Observer {
 public:
  void progress(const Progress&, std::string_view) override {
    if (on_progress) on_progress();
  }
  void problem(std::string_view path, std::string_view, const Error& error) override {
    const std::lock_guard lock(mutex_);
    problems.emplace(path, error.kind());
  }
  void item(std::string_view action, std::string_view path, std::uint64_t) override {
    const std::lock_guard lock(mutex_);
    items.emplace(action, path);
  }
  void note(std::string_view) override {}

  std::function<void()> on_progress;
  std::map<std::string, Errc> problems;
  std::set<std::pair<std::string, std::string>> items;

 private:
  std::mutex mutex_;  // guards all
};

class CountingStorage final : public testing::PassingStorage {
 public:
  CountingStorage(storage::Storage& inner, std::atomic<std::uint64_t>& bytes)
      : PassingStorage(inner), bytes_(bytes) {}
  Result<Buffer> get(const std::string& name, storage::ByteRange range, std::stop_token stop) override {
    Buffer got = TRY(PassingStorage::get(name, range, stop));
    bytes_ += got.size();
    return got;
  }

 private:
  std::atomic<std::uint64_t>& bytes_;
};

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write_file(const std::string& path, const std::string& bytes) {
  fs::create_directories(fs::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

struct stat stat_of(const std::string& path) {
  struct stat st {};
  EXPECT_EQ(::lstat(path.c_str(), &st), 0) << path;
  return st;
}

// Paths of all that is below `top`.
std::set<std::string> listing(const std::string& top) {
  std::set<std::string> out;
  for (const auto& entry : fs::recursive_directory_iterator(top))
    out.insert(entry.path().lexically_relative(top));
  return out;
}

class Restore : public testing::OnMemory {
 protected:
  Restore() {
    for (const char* path : {"home", "home/dir", "home/dir/sub", "home/other", "home/\xff", "home/empty"})
      files_.directory(path);
    files_.directory("home/dir").item.entry.attributes.mode = 0750;
    for (int i = 0; i < 300; ++i) {
      files_.file(fmt::format("home/dir/f{:03}", i),
                  prose(200 + static_cast<std::size_t>(i), static_cast<std::uint64_t>(i)));
    }
    files_.file("home/dir/sub/medium", noise(300'000, 2));
    files_.file("home/large", noise(40'000'000, 3));
    files_.file("home/other/nothing", "");
    files_.file("home/\xff/x", "x");
    files_.symlink("home/link", "dir/f001");
  }

  void backup() {
    auto report = world_.backup(files_);
    ASSERT_TRUE(report.ok()) << report.error().text();
    snapshot_ = *report.value().snapshot;
    repository_ = world_.open().value();
  }

  Result<RestoreReport> run(RestoreSpec spec = {}, sink::DirectoryOptions options = {},
                            std::stop_token stop = {}) {
    spec.workers = 3;
    options.dry_run = spec.dry_run;
    repo::LogState log;
    TRY(repository_->log().follow(log, {}));
    const auto sink = TRY(sink::DirectorySink::make(target(), std::move(options)));
    return restore(*repository_, log, snapshot_.commit.roots.front(), spec, *sink, seen_, stop);
  }
  RestoreReport good(RestoreSpec spec = {}, sink::DirectoryOptions options = {}) {
    auto report = run(std::move(spec), std::move(options));
    EXPECT_TRUE(report.ok()) << report.error().text();
    if (!report.ok()) return {};
    EXPECT_EQ(report.value().problems, seen_.problems.size());
    return std::move(report).value();
  }

  std::string target() const { return scratch_.path() + "/target"; }
  std::string at(const std::string& path) const { return target() + "/" + path; }
  bool there(const std::string& path) const { return fs::exists(fs::symlink_status(at(path))); }

  // All files of the set below `top` ("": all), at their full paths.
  void expect_restored(const std::string& top = "") {
    for (const auto& [path, file] : files_.all()) {
      if (!path.starts_with(top)) continue;
      const model::Entry& entry = file.item.entry;
      const struct stat st = stat_of(at(path));
      if (entry.attributes.type == model::FileType::symlink) {
        EXPECT_EQ(fs::read_symlink(at(path)), entry.target);
        continue;
      }
      EXPECT_EQ(st.st_mode & 07777, entry.attributes.mode) << path;
      EXPECT_EQ(st.st_mtim.tv_sec, entry.mtime.seconds) << path;
      EXPECT_EQ(st.st_mtim.tv_nsec, entry.mtime.nanoseconds) << path;
      if (entry.attributes.type != model::FileType::regular) continue;
      EXPECT_TRUE(read_file(at(path)) == file.bytes) << path;
    }
  }

  FileSet files_;
  repo::Snapshot snapshot_;
  std::unique_ptr<repo::Repository> repository_;
  Recorder seen_;
  ScratchDir scratch_;
};

}  // namespace

TEST_F(Restore, TheWholeSnapshotVerified) {
  backup();
  RestoreSpec spec;
  spec.verify = true;
  const RestoreReport report = good(spec);
  expect_restored();
  EXPECT_EQ(report.problems, 0u);
  EXPECT_EQ(report.files, 304u);
  EXPECT_EQ(report.files_restored, 304u);
  EXPECT_EQ(report.verified_files, 304u);
  EXPECT_EQ(report.directories, 6u);
  EXPECT_EQ(report.others, 1u);
  EXPECT_EQ(report.bytes, report.bytes_restored);
  EXPECT_EQ(listing(target()).size(), files_.all().size());
  EXPECT_TRUE(seen_.items.contains({"restored", "home/large"}));
}

TEST_F(Restore, ASubpathAsIfItWereTheTop) {
  backup();
  RestoreSpec spec;
  spec.subpath = "home/dir";
  good(spec);
  EXPECT_EQ(read_file(at("sub/medium")), files_.at("home/dir/sub/medium").bytes);
  EXPECT_EQ(listing(target()).size(), 302u);
  spec.subpath = "home/dir/f007";  // one file
  good(spec);
  EXPECT_EQ(read_file(at("f007")), files_.at("home/dir/f007").bytes);
  spec.subpath = "home/missing";
  EXPECT_EQ(run(spec).error().kind(), Errc::not_found);
}

TEST_F(Restore, OnlySomePathsWithTheDirectoriesAbove) {
  backup();
  RestoreSpec spec;
  spec.only = {"home/link", "home/dir/sub/medium", "home/dir/f003", "home/dir/sub"};  // in any order
  const RestoreReport report = good(spec);
  EXPECT_EQ(report.files_restored, 2u);
  EXPECT_EQ(listing(target()), (std::set<std::string>{"home", "home/dir", "home/dir/f003", "home/dir/sub",
                                                      "home/dir/sub/medium", "home/link"}));
  EXPECT_EQ(stat_of(at("home/dir")).st_mode & 07777, 0750u);
  EXPECT_EQ(stat_of(at("home")).st_mtim.tv_sec, files_.at("home").item.entry.mtime.seconds);
}

TEST_F(Restore, AFilterAndTheDirectoriesItNeeds) {
  backup();
  RestoreSpec spec;
  spec.wanted = [](const model::Entry& entry) { return entry.path.ends_with("medium"); };
  EXPECT_EQ(good(spec).files_restored, 1u);
  EXPECT_EQ(listing(target()),
            (std::set<std::string>{"home", "home/dir", "home/dir/sub", "home/dir/sub/medium"}));
  EXPECT_EQ(stat_of(at("home/dir")).st_mode & 07777, 0750u);
}

TEST_F(Restore, HardLinksAreOneFileAgain) {
  for (const char* path : {"home/dir/one", "home/other/two", "home/three"}) {
    source::MemoryFile& file = files_.file(path, prose(9000, 5));
    file.item.stamp = {4711, {1'600'000'000, 0}};
    file.item.device = 1;
    file.item.links = 3;
  }
  backup();
  good();
  expect_restored();
  const struct stat one = stat_of(at("home/dir/one"));
  EXPECT_EQ(one.st_nlink, 3u);
  EXPECT_EQ(stat_of(at("home/other/two")).st_ino, one.st_ino);
  EXPECT_EQ(stat_of(at("home/three")).st_ino, one.st_ino);
}

TEST_F(Restore, HolesStayHoles) {
  constexpr std::size_t kHole = 8 * 1024 * 1024;
  source::MemoryFile& file =
      files_.file("home/sparse", noise(65536, 1) + std::string(kHole, '\0') + noise(65536, 2));
  file.holes = {{65536, 65536 + kHole}};
  backup();
  RestoreSpec spec;
  spec.verify = true;
  good(spec);
  expect_restored("home/sparse");
  EXPECT_LT(stat_of(at("home/sparse")).st_blocks * 512, static_cast<long>(kHole / 2));
}

TEST_F(Restore, OverwriteModes) {
  backup();
  good();
  const model::Entry& entry = files_.at("home/dir/f000").item.entry;
  const std::string path = at("home/dir/f000"), wanted = files_.at("home/dir/f000").bytes;
  const std::string same_size(wanted.size(), '#');
  const auto put = [&](const std::string& bytes, std::int64_t seconds) {
    write_file(path, bytes);
    const timespec time{seconds, static_cast<long>(entry.mtime.nanoseconds)};
    const timespec both[2] = {time, time};
    ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), both, 0), 0);
  };
  const auto restored = [&](sink::Overwrite overwrite) {
    RestoreSpec spec;
    spec.only = {"home/dir/f000"};
    sink::DirectoryOptions options;
    options.overwrite = overwrite;
    good(spec, options);
    return read_file(path) == wanted;
  };
  put(same_size, entry.mtime.seconds);
  EXPECT_FALSE(restored(sink::Overwrite::never));
  EXPECT_FALSE(restored(sink::Overwrite::if_changed));  // taken to be the same
  EXPECT_FALSE(restored(sink::Overwrite::if_newer));
  EXPECT_TRUE(restored(sink::Overwrite::always));
  put("longer than before, longer than before" + wanted, entry.mtime.seconds + 5);
  EXPECT_FALSE(restored(sink::Overwrite::never));
  EXPECT_FALSE(restored(sink::Overwrite::if_newer));
  EXPECT_TRUE(restored(sink::Overwrite::if_changed));
  put("older", entry.mtime.seconds - 5);
  EXPECT_TRUE(restored(sink::Overwrite::if_newer));
  EXPECT_EQ(seen_.problems.size(), 0u);
}

TEST_F(Restore, ADirectoryThatIsSkippedStaysAsItIs) {
  backup();
  write_file(at("home/dir/mine"), "mine");
  fs::permissions(at("home/dir"), static_cast<fs::perms>(0711));
  sink::DirectoryOptions options;
  options.overwrite = sink::Overwrite::never;
  good({}, options);
  EXPECT_EQ(stat_of(at("home/dir")).st_mode & 07777, 0711u);
  EXPECT_EQ(read_file(at("home/dir/mine")), "mine");
}

// Also one that had to be widened so that something could be put into it.
TEST_F(Restore, NeverPutsADirectoryBackExactly) {
  backup();
  fs::create_directories(at("home/dir/sub"));
  const timespec times[2] = {{0, UTIME_OMIT}, {1'234'567'890, 987'654'321}};
  const std::map<std::string, unsigned> modes{{"home/dir/sub", 0555}, {"home/dir", 02500}, {"home", 0577}};
  for (const auto& [path, mode] : modes) {
    ASSERT_EQ(::chmod(at(path).c_str(), mode), 0);
    ASSERT_EQ(::utimensat(AT_FDCWD, at(path).c_str(), times, 0), 0);
  }
  sink::DirectoryOptions options;
  options.overwrite = sink::Overwrite::never;
  good({}, options);
  EXPECT_TRUE(there("home/dir/sub/medium"));
  EXPECT_EQ(stat_of(at("home/other")).st_mode & 07777, 0755u);  // one that was not there
  for (const auto& [path, mode] : modes) {
    const struct stat st = stat_of(at(path));
    EXPECT_EQ(st.st_mode & 07777, mode) << path;
    EXPECT_EQ(st.st_mtim.tv_sec, 1'234'567'890) << path;
    EXPECT_EQ(st.st_mtim.tv_nsec, 987'654'321) << path;
    ASSERT_EQ(::chmod(at(path).c_str(), 0755), 0);
  }
}

TEST_F(Restore, NeverPutsDirectoriesBackWhenItIsStopped) {
  backup();
  fs::create_directories(at("home/dir"));
  ASSERT_EQ(::chmod(at("home/dir").c_str(), 0555), 0);
  sink::DirectoryOptions options;
  options.overwrite = sink::Overwrite::never;
  std::stop_source stop;
  seen_.on_progress = [&] { stop.request_stop(); };
  EXPECT_EQ(run({}, options, stop.get_token()).error().kind(), Errc::stopped);
  EXPECT_EQ(stat_of(at("home/dir")).st_mode & 07777, 0555u);
}

TEST_F(Restore, VerifyReadsBackWhatIsThere) {
  backup();
  good();
  // Same size and time: without verify nobody looks.
  const model::Entry& entry = files_.at("home/dir/f010").item.entry;
  write_file(at("home/dir/f010"), std::string(files_.at("home/dir/f010").bytes.size(), '#'));
  const timespec time{entry.mtime.seconds, static_cast<long>(entry.mtime.nanoseconds)};
  const timespec both[2] = {time, time};
  ASSERT_EQ(::utimensat(AT_FDCWD, at("home/dir/f010").c_str(), both, 0), 0);
  EXPECT_EQ(good().problems, 0u);
  RestoreSpec spec;
  spec.verify = true;
  EXPECT_EQ(good(spec).problems, 1u);
  EXPECT_EQ(seen_.problems, (std::map<std::string, Errc>{{"home/dir/f010", Errc::damaged}}));
}

TEST_F(Restore, DeleteRemovesWhatTheSnapshotDoesNotHave) {
  backup();
  good();
  const std::vector<std::string> extra{"home/extra", "home/dir/extra/deep/file", "home/dir/sub/extra",
                                       "home/\xff/extra"};
  for (const std::string& path : extra) write_file(at(path), "extra");
  write_file(at("beside"), "not in a restored directory");
  RestoreSpec spec;
  spec.delete_others = true;
  const RestoreReport report = good(spec);
  EXPECT_EQ(report.files_deleted, 4u);
  for (const std::string& path : extra) EXPECT_FALSE(there(path)) << path;
  EXPECT_TRUE(there("beside"));
  expect_restored();
}

TEST_F(Restore, DeleteInASubpathRemovesAtItsTopToo) {
  backup();
  write_file(at("extra"), "extra");
  write_file(at("sub/extra"), "extra");
  RestoreSpec spec;
  spec.subpath = "home/dir";
  spec.delete_others = true;
  EXPECT_EQ(good(spec).files_deleted, 2u);
  EXPECT_FALSE(there("extra"));
  EXPECT_FALSE(there("sub/extra"));
  EXPECT_EQ(listing(target()).size(), 302u);
}

TEST_F(Restore, DeleteSparesWhatTheSnapshotHasButWasNotAskedFor) {
  backup();
  good();
  write_file(at("home/dir/sub/extra"), "extra");
  write_file(at("home/dir/extra"), "extra");
  RestoreSpec spec;
  spec.delete_others = true;
  spec.only = {"home/dir/f003", "home/dir/sub", "home/link"};
  good(spec);
  EXPECT_FALSE(there("home/dir/sub/extra"));
  EXPECT_TRUE(there("home/dir/extra"));  // of home/dir only parts were restored
  expect_restored();
  spec.only.clear();
  spec.wanted = [](const model::Entry& entry) { return entry.path.ends_with("medium"); };
  good(spec);
  EXPECT_FALSE(there("home/dir/extra"));
  expect_restored();
}

TEST_F(Restore, ADryRunWritesNothing) {
  backup();
  RestoreSpec spec;
  spec.dry_run = true;
  spec.delete_others = true;
  const RestoreReport report = good(spec);
  EXPECT_EQ(report.files, 304u);
  EXPECT_EQ(report.files_restored, 0u);
  EXPECT_FALSE(fs::exists(target()));
  write_file(at("home/extra"), "extra");
  write_file(at("home/large"), "old");
  EXPECT_EQ(good(spec).files_deleted, 1u);
  EXPECT_EQ(listing(target()), (std::set<std::string>{"home", "home/extra", "home/large"}));
  EXPECT_EQ(read_file(at("home/large")), "old");
}

TEST_F(Restore, FilesOfADamagedPackAreReportedAndTheOthersRestored) {
  backup();
  files_.file("home/later", noise(200'000, 9), 2);
  files_.file("home/dir/f000", "edited", 2);
  backup();  // the second run has packs of its own
  std::set<std::string> lost;
  const auto entries = testing::entries_of(*repository_, snapshot_).value();
  const std::uint32_t sequence = entries.at("home/later").content.front().chunk.pack.transaction.sequence;
  model::PackId damaged = entries.at("home/large").content.front().chunk.pack;
  ASSERT_NE(damaged.transaction.sequence, sequence);
  for (const auto& [path, entry] : entries) {
    for (const model::Extent& extent : entry.content) {
      if (!extent.hole && extent.chunk.pack == damaged) lost.insert(path);
    }
  }
  ASSERT_GT(lost.size(), 1u);
  const std::string name = repo::pack_name(damaged, 0);
  Buffer bytes = *content_->objects.at(name);
  for (std::size_t at = 4096; at + 5 * 65536 < bytes.size(); at += 4096) bytes[at] ^= 1;
  content_->objects[name] = std::make_shared<const Buffer>(std::move(bytes));
  good();
  std::set<std::string> reported;
  for (const auto& [path, kind] : seen_.problems) {
    reported.insert(path);
    EXPECT_EQ(kind, Errc::damaged) << path;
  }
  EXPECT_EQ(reported, lost);
  for (const std::string& path : lost) files_.remove(path);
  expect_restored();
}

TEST_F(Restore, AStopEndsIt) {
  backup();
  std::stop_source stop;
  stop.request_stop();
  repo::LogState log;
  ASSERT_TRUE(repository_->log().follow(log, {}).ok());
  const auto sink = sink::DirectorySink::make(target(), {});
  RestoreSpec spec;
  spec.workers = 2;
  const auto report = restore(*repository_, log, snapshot_.commit.roots.front(), spec, *sink.value(), seen_,
                              stop.get_token());
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().kind(), Errc::stopped);
}

TEST_F(Restore, OfALargeFileThatIsThereOnlyWhatDiffersIsReadAndWritten) {
  backup();
  good();
  const std::string path = at("home/large");
  std::string bytes = files_.at("home/large").bytes;
  bytes[1'000'000] = static_cast<char>(~bytes[1'000'000]);
  bytes[30'000'000] = static_cast<char>(~bytes[30'000'000]);
  bytes.resize(39'990'000);
  write_file(path, bytes);
  std::atomic<std::uint64_t> read_bytes = 0;
  CountingStorage counting(*storage_, read_bytes);
  world_.use(counting);
  repository_ = world_.open().value();
  read_bytes = 0;
  RestoreSpec spec;
  spec.only = {"home/large"};
  spec.verify = false;
  sink::DirectoryOptions options;
  options.overwrite = sink::Overwrite::always;
  const RestoreReport report = good(spec, options);
  EXPECT_TRUE(read_file(path) == files_.at("home/large").bytes);
  EXPECT_GE(report.bytes_written, 2 * 4096 + 10'000u);
  EXPECT_LT(report.bytes_written, 3 * 4096 + 10'000u);  // in whole blocks
  EXPECT_EQ(report.bytes_matched, 40'000'000 - report.bytes_written);
  EXPECT_LT(read_bytes, 13'000'000u);  // three chunks of 4 MiB at most, and small things
  EXPECT_EQ(good(spec, options).bytes_written, 0u);
  repository_.reset();
}

TEST_F(Restore, NewestFirstIsInTheOrderOfTimes) {
  for (int i = 0; i < 300; ++i) {
    const auto seed = static_cast<std::uint64_t>(i);
    files_.file(fmt::format("home/dir/f{:03}", i), prose(200, seed), i * 7919 % 101);
  }
  for (const char* path : {"home/one", "home/dir/two"}) {  // hard links
    source::Item& item = files_.file(path, "linked", 50).item;
    item.links = 2;
    item.device = 1;
    item.stamp.inode = 99;
  }
  backup();
  class InOrder final : public Observer {
   public:
    explicit InOrder(const FileSet& files) : files_(files) {}
    void progress(const Progress&, std::string_view) override {}
    void problem(std::string_view path, std::string_view, const Error&) override { ADD_FAILURE() << path; }
    void item(std::string_view, std::string_view path, std::uint64_t) override {
      times.push_back(files_.all().at(std::string(path)).item.entry.mtime);
    }
    void note(std::string_view) override {}
    std::vector<model::Time> times;

   private:
    const FileSet& files_;
  };
  for (const std::uint64_t bytes :
       {std::uint64_t{1}, 5000 * std::uint64_t{1}, 32 * kMiB}) {  // rounds: many, some, one
    fs::remove_all(target());
    RestoreSpec spec;
    spec.newest_first = true;
    spec.newest_first_bytes = bytes;
    spec.workers = 1;
    if (bytes == 1)
      spec.wanted = [](const model::Entry& entry) { return entry.path.find("f00") != entry.path.npos; };
    repo::LogState log;
    ASSERT_TRUE(repository_->log().follow(log, {}).ok());
    const auto sink = sink::DirectorySink::make(target(), {}).value();
    InOrder seen(files_);
    const auto report =
        restore(*repository_, log, snapshot_.commit.roots.front(), spec, *sink, seen, {}).value();
    EXPECT_EQ(report.files, bytes == 1 ? 10u : 306u);
    EXPECT_EQ(report.files_restored, report.files);
    EXPECT_EQ(seen.times.size(), bytes == 1 ? 10u : 305u);  // and one more name
    EXPECT_TRUE(std::is_sorted(seen.times.rbegin(), seen.times.rend()));
    if (bytes != 1) expect_restored();
  }
}

TEST_F(Restore, NamesOfAFileThatFailedAreLeftAlone) {
  files_ = FileSet();
  files_.directory("home");
  for (const char* path : {"home/one", "home/two"}) {
    source::Item& item = files_.file(path, noise(700'000, 5)).item;
    item.links = 2;
    item.device = 1;
    item.stamp.inode = 99;
  }
  backup();
  for (const std::string& name : names(*storage_, "d/")) ruin(name);
  write_file(at("home/one"), "an older one");
  write_file(at("home/two"), "a good copy");
  sink::DirectoryOptions options;
  options.overwrite = sink::Overwrite::always;
  good({}, options);
  EXPECT_EQ(read_file(at("home/two")), "a good copy");
  EXPECT_EQ(stat_of(at("home/two")).st_nlink, 1u);
  EXPECT_EQ(seen_.problems,
            (std::map<std::string, Errc>{{"home/one", Errc::damaged}, {"home/two", Errc::failed}}));
}

TEST_F(Restore, DirectoriesOfWhichTheSnapshotSaysNothingMoreKeepWhatTheyAre) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "takes minutes under ThreadSanitizer, and nothing in it is about threads";
#endif
  // All names but the first and the last are in leaves of the first run, which get lost.
  const auto fill = [&](int from, int to, int version) {
    for (int i = from; i < to; ++i) files_.file(fmt::format("home/mid/f{:04}", i), "x", version);
  };
  files_ = FileSet();
  files_.directory("home");
  for (int i = 0; i < 2500; ++i) files_.file(fmt::format("home/a{:04}", i), "x");
  files_.directory("home/mid");
  fill(0, 3000, 1);
  backup();
  const std::vector<std::string> first_trees = names(*storage_, "m/");
  for (int i = 0; i < 300; ++i) files_.file(fmt::format("home/a{:04}", i), "x", 2);
  fill(2400, 3000, 2);
  backup();
  for (const std::string& name : first_trees) content_->objects.erase(name);

  RestoreSpec all, below, only, include;
  below.subpath = "home";
  only.only = {"home/mid/f2999"};
  include.wanted = [](const model::Entry& entry) { return entry.path == "home/mid/f2999"; };
  for (const RestoreSpec& spec : {all, below, only, include}) {
    fs::remove_all(target());
    const std::string mid = spec.subpath.empty() ? "home/mid" : "mid";
    fs::create_directories(at(mid));
    ASSERT_EQ(::chmod(at(mid).c_str(), 0751), 0);
    const timespec times[2] = {{1'234'567'890, 5}, {1'234'567'890, 5}};
    ASSERT_EQ(::utimensat(AT_FDCWD, at(mid).c_str(), times, 0), 0);
    EXPECT_GT(run(spec).value().problems, 0u);
    EXPECT_TRUE(there(mid + "/f2999"));
    EXPECT_FALSE(there(mid + "/f0000"));
    EXPECT_EQ(stat_of(at(mid)).st_mode & 07777, 0751u);
    EXPECT_EQ(stat_of(at(mid)).st_mtim.tv_sec, 1'234'567'890);
  }
}

TEST_F(Restore, DeleteTakesWhatIsImmutable) {
  constexpr std::uint32_t kLocks = model::kFlagImmutable | model::kFlagAppendOnly;
  const auto change_flags = [&](const std::string& path, std::uint32_t lock) {
    const Fd fd(::open(at(path).c_str(), O_RDONLY | O_CLOEXEC));
    std::uint32_t flags = 0;
    return get_inode_flags(fd.get(), flags) == 0 && set_inode_flags(fd.get(), (flags & ~kLocks) | lock) == 0;
  };
  backup();
  good();
  write_file(at("home/extra"), "extra");
  write_file(at("home/dir/extra/file"), "extra");
  write_file(at("home/dir/extra/log"), "extra");
  bool can = change_flags("home/extra", model::kFlagImmutable);
  can = can && change_flags("home/dir/extra/log", model::kFlagAppendOnly);
  can = can && change_flags("home/dir/extra", model::kFlagImmutable);
  if (can) {
    RestoreSpec spec;
    spec.delete_others = true;
    EXPECT_EQ(good(spec).problems, 0u);
  }
  for (const char* path : {"home/extra", "home/dir/extra", "home/dir/extra/log"}) {
    EXPECT_FALSE(can && there(path)) << path;
    if (there(path)) change_flags(path, 0);  // else nobody could remove the scratch folder
  }
  if (!can) GTEST_SKIP() << "no such flags here";
}

}  // namespace holdfast::flow
