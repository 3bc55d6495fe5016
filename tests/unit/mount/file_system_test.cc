// Snapshots as a file system, without a kernel: what is listed, found and read, how little is read for it,
// and what happens while the store is slow or fails.
#include "mount/file_system.h"

#include <gtest/gtest.h>

#include <future>

#include "flow/forget.h"
#include "storage/memory.h"
#include "tests/support/backup_world.h"
#include "tests/support/passing_storage.h"

namespace holdfast::mount {

namespace {

using testing::BackupWorld;
using testing::FileSet;
using testing::noise;
using testing::prose;

// A store whose reads of packs fail, or wait until they may go on.
class MoodyStorage final : public testing::PassingStorage {
 public:
  using PassingStorage::PassingStorage;

  Result<Buffer> get(const std::string& name, storage::ByteRange range, std::stop_token stop) override {
    {
      std::unique_lock lock(mutex_);
      if (held_) ++waited_;
      changed_.wait(lock, stop, [&] { return !held_; });
      if (fails_) return Error(Errc::unreachable, "the network is down");
    }
    return PassingStorage::get(name, range, stop);
  }
  void hold(bool held) { set(held_, held); }
  void fail(bool fails) { set(fails_, fails); }
  // How many reads had to wait.
  std::uint64_t waited() const { return waited_; }

 private:
  void set(bool& what, bool to) {
    const std::lock_guard lock(mutex_);
    what = to;
    changed_.notify_all();
  }
  std::mutex mutex_;  // guards held_ and fails_
  std::condition_variable_any changed_;
  bool held_ = false, fails_ = false;
  std::atomic<std::uint64_t> waited_ = 0;
};

class Mount : public ::testing::Test {
 protected:
  Mount()
      : memory_(storage::open_memory(std::make_shared<storage::MemoryContent>())),
        store_(*memory_),
        world_(store_, 1) {
    EXPECT_TRUE(world_.create().ok());
  }
  ~Mount() override {
    store_.hold(false);
    mounted_.reset();
  }

  void backup() {
    auto report = world_.backup(files_);
    ASSERT_TRUE(report.ok()) << report.error().text();
  }
  void open(FileSystemOptions options = {}) {
    repository_ = world_.open().value();
    repo::LogState log;
    ASSERT_TRUE(repository_->log().follow(log, {}).ok());
    const auto load = [this](std::stop_token stop) -> Result<std::vector<SnapshotPtr>> {
      const repo::History history = TRY(repository_->history(stop));
      std::vector<SnapshotPtr> out;
      for (const repo::Snapshot* one : history.snapshots()) {
        out.push_back(std::make_shared<Snapshot>(Snapshot{one->id,
                                                          one->commit.start,
                                                          std::to_string(one->commit.start.seconds),
                                                          "host",
                                                          "ann",
                                                          {"/home"},
                                                          {},
                                                          one->commit.roots.front()}));
      }
      return out;
    };
    auto opened = FileSystem::open(*repository_, log, load, std::move(options), {});
    ASSERT_TRUE(opened.ok()) << opened.error().text();
    mounted_ = std::move(opened).value();
  }

  Result<Status> look(const std::string& path) {
    Status at;
    at.inode = kTopInode;
    for (std::size_t from = 0; from < path.size();) {
      const std::size_t end = std::min(path.find('/', from), path.size());
      at = TRY(mounted_->find(at.inode, path.substr(from, end - from), {}));
      if (at.type == model::FileType::symlink && path.substr(from, end - from) == "latest") {
        const std::string target = TRY(mounted_->link_target(at.inode, {}));
        return look(path.substr(0, from) + target + path.substr(end));
      }
      from = end + 1;
    }
    return at;
  }
  Inode inode(const std::string& path) {
    const auto found = look(path);
    EXPECT_TRUE(found.ok()) << path << ": " << found.error().text();
    return found.ok() ? found.value().inode : 0;
  }

  // All names, `step` at a time, and what their statuses say; each inode must be what find() gives.
  std::vector<std::string> list(Inode folder, std::size_t step = 100) {
    std::vector<std::string> out;
    const OpenFolder opened = mounted_->open_folder(folder, {});
    std::uint64_t from = 0;
    for (bool more = true; more;) {
      std::size_t got = 0;
      more = false;
      const auto each = [&](std::string_view name, std::uint64_t next, const Status*) {
        if (got++ == step) {
          more = true;
          return false;
        }
        out.emplace_back(name);
        from = next;
        return true;
      };
      const auto listed = mounted_->list(opened, from, each, {});
      EXPECT_TRUE(listed.ok()) << listed.error().text();
      if (!listed.ok()) break;
    }
    return out;
  }

  Result<std::string> read(const std::string& path, std::uint64_t offset = 0, std::size_t length = 1 << 30,
                           std::stop_token stop = {}) {
    const Status status = TRY(look(path));
    const auto file = TRY(mounted_->open_file(status.inode, stop));
    std::string bytes(std::min<std::size_t>(length, status.size_bytes), '\0');
    const MutableBytes to(reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size());
    const std::size_t got = TRY(mounted_->read(*file, offset, to, stop));
    bytes.resize(got);
    return bytes;
  }

  // Everything of `files_` is at and below `top` as it was backed up.
  void expect_all(const std::string& top) {
    std::map<std::string, std::vector<std::string>> folders;
    for (const auto& [path, file] : files_.all()) {
      const model::Entry& entry = file.item.entry;
      const std::size_t slash = path.rfind('/');
      folders[slash == path.npos ? "" : path.substr(0, slash)].push_back(path.substr(slash + 1));
      const auto status = look(top + "/" + path);
      ASSERT_TRUE(status.ok()) << path << ": " << status.error().text();
      EXPECT_EQ(status.value().type, entry.attributes.type) << path;
      EXPECT_EQ(status.value().mode, entry.attributes.mode) << path;
      EXPECT_EQ(status.value().mtime, entry.mtime) << path;
      EXPECT_EQ(mounted_->status(status.value().inode, {}).value().file, status.value().file) << path;
      if (entry.attributes.type == model::FileType::regular) {
        EXPECT_EQ(status.value().size_bytes, file.bytes.size()) << path;
        EXPECT_TRUE(read(top + "/" + path).value() == file.bytes) << path;
      }
      if (entry.attributes.type == model::FileType::symlink) {
        EXPECT_EQ(mounted_->link_target(status.value().inode, {}).value(), entry.target);
      }
    }
    for (auto& [folder, names] : folders) {
      std::sort(names.begin(), names.end());
      EXPECT_EQ(list(inode(folder.empty() ? top : top + "/" + folder), 7), names) << folder;
    }
  }

  std::unique_ptr<storage::Storage> memory_;
  MoodyStorage store_;
  BackupWorld world_;
  FileSet files_;
  std::unique_ptr<repo::Repository> repository_;
  std::unique_ptr<FileSystem> mounted_;
};

}  // namespace

TEST_F(Mount, ShowsWhatWasBackedUp) {
  for (const char* path : {"home", "home/a", "home/a/b", "home/a-b", "home/\xff", "home/empty"})
    files_.directory(path);
  files_.directory("home/a").item.entry.attributes.mode = 01750;
  for (int i = 0; i < 300; ++i)
    files_.file(fmt::format("home/a/b/f{:03}", i), prose(200, static_cast<std::uint64_t>(i)));
  files_.file("home/a.txt", noise(3'000'000, 2));
  files_.file("home/a/x", "x");
  files_.file("home/\xff/y", "");
  files_.symlink("home/link", "a/x").item.entry.mtime = {-5, 999'999'999};
  model::Attributes& attributes = files_.at("home/a/x").item.entry.attributes;
  attributes.xattrs = {{"user.colour", "blue"}};
  attributes.uid = 1234;
  backup();
  files_.file("home/a/x", "newer", 2);  // leaves that are differences
  attributes.xattrs = {{"user.colour", "blue"}};
  backup();
  open();
  expect_all("snapshots/latest");
  EXPECT_EQ(list(inode("snapshots")).size(), 3u);
  EXPECT_EQ(read("snapshots/" + list(inode("snapshots")).front() + "/home/a/x").value(), "x");
  const auto xattrs =
      mounted_->xattrs(inode("snapshots/" + list(inode("snapshots")).front() + "/home/a/x"), {});
  EXPECT_EQ(xattrs.value(), (std::vector<model::Xattr>{{"user.colour", "blue"}}));
  EXPECT_EQ(look("snapshots/latest/home/none").error().kind(), Errc::not_found);
  EXPECT_EQ(look("snapshots/latest/home/a/x/y").error().kind(), Errc::not_found);
  EXPECT_EQ(read("paths/home/latest/a/x").value(), "newer");
  EXPECT_EQ(list(inode("paths/home/latest")), list(inode("snapshots/latest/home")));
}

TEST_F(Mount, ReadsFromAnywhere) {
  files_.directory("home");
  std::string bytes = noise(9'000'000, 3);
  std::fill(bytes.begin() + 3'000'000, bytes.begin() + 7'000'000, '\0');
  files_.file("home/large", bytes).holes = {{3'000'000, 7'000'000}};
  backup();
  open({.chunks = {.cache_bytes_max = 3 * kMiB}});
  std::mt19937_64 random(5);
  for (int i = 0; i < 200; ++i) {
    const std::uint64_t offset = random() % (bytes.size() + 1000);
    const std::size_t length = random() % 300'000;
    const auto got = read("snapshots/latest/home/large", offset, length);
    ASSERT_TRUE(got.ok()) << got.error().text();
    EXPECT_TRUE(got.value() == (offset < bytes.size() ? bytes.substr(offset, length) : "")) << offset;
  }
  EXPECT_LE(mounted_->chunks().cached_bytes(), 3 * kMiB);
  const auto file = mounted_->open_file(inode("snapshots/latest/home/large"), {}).value();
  EXPECT_EQ(FileSystem::seek(*file, 0, false), 0u);
  EXPECT_EQ(FileSystem::seek(*file, 0, true), 3'000'000u);
  EXPECT_EQ(FileSystem::seek(*file, 4'000'000, false), 7'000'000u);
  EXPECT_EQ(FileSystem::seek(*file, 4'000'000, true), 4'000'000u);
  EXPECT_EQ(FileSystem::seek(*file, 8'000'000, true), 9'000'000u);
  EXPECT_EQ(FileSystem::seek(*file, 9'000'000, false), std::nullopt);
  EXPECT_LT(look("snapshots/latest/home/large").value().stored_bytes, 5'500'000u);
}

TEST_F(Mount, AReaderWhoReadsOnFindsItFetched) {
  files_.directory("home");
  files_.file("home/large", noise(30'000'000, 3));
  backup();
  open();
  const auto file = mounted_->open_file(inode("snapshots/latest/home/large"), {}).value();
  Buffer out(256 * kKiB);
  ASSERT_TRUE(mounted_->read(*file, 0, out, {}).ok());
  ASSERT_TRUE(mounted_->read(*file, out.size(), out, {}).ok());
  const std::size_t ahead = file->ahead;
  EXPECT_GT(ahead, 3u);
  EXPECT_LT(file->starts[ahead], 13'000'000u);  // but not the whole file
  ASSERT_TRUE(mounted_->read(*file, 20'000'000, out, {}).ok());
  EXPECT_EQ(file->ahead, 0u);
}

TEST_F(Mount, HardLinksAreOneFile) {
  for (const char* path : {"home", "home/a", "home/z"}) files_.directory(path);
  for (const char* path : {"home/a/one", "home/two", "home/z/three"}) {
    source::Item& item = files_.file(path, "linked").item;
    item.links = 3;
    item.device = 1;
    item.stamp.inode = 99;
  }
  files_.file("home/other", "other");
  backup();
  open();
  const Status one = look("snapshots/latest/home/a/one").value();
  const Status three = look("snapshots/latest/home/z/three").value();
  EXPECT_EQ(one.links, 3u);
  EXPECT_EQ(one.file, three.file);
  EXPECT_NE(one.inode, three.inode);
  EXPECT_EQ(look("snapshots/latest/home/other").value().links, 1u);
  EXPECT_NE(look("snapshots/latest/home/other").value().file, one.file);
  EXPECT_EQ(read("snapshots/latest/home/z/three").value(), "linked");
}

// Counting takes a walk of a tree; who looks into another one doesn't wait for it, and who wants the same
// count has no walk of his own.
TEST_F(Mount, WhoLooksAtLinksWaitsForNobodyElsesWalk) {
  files_.directory("home");
  for (const char* path : {"home/a", "home/b"}) {
    source::Item& item = files_.file(path, "linked").item;
    item.links = 2;
    item.device = 1;
    item.stamp.inode = 99;
  }
  files_.file("home/c", "other");
  for (int i = 0; i < 3000; ++i) files_.file(fmt::format("home/f{:04}", i), "x");
  backup();
  for (int i = 1000; i < 3000; ++i) files_.file(fmt::format("home/f{:04}", i), "x", 2);
  backup();
  open();
  const Inode first = inode("snapshots/" + list(inode("snapshots")).front() + "/home");
  const Inode second = inode("snapshots/latest/home");
  const auto links_of = [&](Inode folder) {
    return std::async(std::launch::async, [this, folder] { return mounted_->find(folder, "a", {}); });
  };
  ASSERT_EQ(mounted_->find(second, "a", {}).value().links, 2u);
  ASSERT_TRUE(mounted_->find(first, "c", {}).ok());  // what leads there is known; the rest of the tree is not
  store_.hold(true);
  auto walking = links_of(first);
  while (store_.waited() == 0) std::this_thread::yield();
  const std::uint64_t fetches = mounted_->chunks().fetches();
  auto same = links_of(first);
  auto other = links_of(second);
  const auto in_time = other.wait_for(std::chrono::seconds(30));
  EXPECT_EQ(same.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  store_.hold(false);
  ASSERT_EQ(in_time, std::future_status::ready);
  EXPECT_EQ(other.get().value().links, 2u);
  EXPECT_EQ(walking.get().value().links, 2u);
  EXPECT_EQ(same.get().value().links, 2u);
  EXPECT_LT(mounted_->chunks().fetches(), fetches + 20);
  // One that gives up leaves no trace.
  mounted_.reset();
  open();
  const Inode again = inode("snapshots/latest/home");
  store_.fail(true);
  EXPECT_EQ(mounted_->find(again, "a", {}).error().kind(), Errc::unreachable);
  store_.fail(false);
  EXPECT_EQ(mounted_->find(again, "a", {}).value().links, 2u);
}

TEST_F(Mount, AFolderOfManyIsNotReadForOne) {
  constexpr int kMany = 100'000;
  files_.directory("home");
  for (int i = 0; i < kMany; ++i) files_.file(fmt::format("home/{:06}", i), "");
  backup();
  open();
  EXPECT_EQ(look("snapshots/latest/home/077777").value().type, model::FileType::regular);
  const std::uint64_t for_one = mounted_->chunks().fetches();
  EXPECT_LE(for_one, 6u);  // two descents of one or two nodes and a leaf
  EXPECT_EQ(look("snapshots/latest/home/0777777").error().kind(), Errc::not_found);
  EXPECT_EQ(list(inode("snapshots/latest")), std::vector<std::string>{"home"});
  EXPECT_LE(mounted_->chunks().fetches(), for_one + 4);  // nor is it for the folder above
  const std::vector<std::string> names = list(inode("snapshots/latest/home"), 1000);
  ASSERT_EQ(names.size(), static_cast<std::size_t>(kMany));
  for (int i = 0; i < kMany; i += 997) EXPECT_EQ(names[static_cast<std::size_t>(i)], fmt::format("{:06}", i));
  EXPECT_GT(mounted_->chunks().fetches(), for_one + 20);
  EXPECT_LE(mounted_->trees().cached_bytes(), 32 * kMiB);
}

TEST_F(Mount, AStoreThatFailsCostsOneReadAndNoMore) {
  files_.directory("home");
  files_.file("home/a", noise(400'000, 1));
  files_.file("home/b", noise(400'000, 2));
  backup();
  open();
  EXPECT_TRUE(read("snapshots/latest/home/a").ok());
  store_.fail(true);
  EXPECT_EQ(read("snapshots/latest/home/b").error().kind(), Errc::unreachable);
  EXPECT_TRUE(read("snapshots/latest/home/a").value() == files_.at("home/a").bytes);  // was there already
  store_.fail(false);
  EXPECT_TRUE(read("snapshots/latest/home/b").value() == files_.at("home/b").bytes);
}

TEST_F(Mount, AStoreThatIsSlowKeepsNobodyForEver) {
  files_.directory("home");
  files_.file("home/a", noise(400'000, 1));
  files_.file("home/b", noise(400'000, 2));
  backup();
  open({.chunks = {.patience_ns = 30'000'000}});
  EXPECT_TRUE(read("snapshots/latest/home/a").ok());
  store_.hold(true);
  const auto waited = read("snapshots/latest/home/b");
  ASSERT_FALSE(waited.ok());
  EXPECT_EQ(waited.error().kind(), Errc::unreachable);
  EXPECT_NE(waited.error().text().find("home/b"), std::string::npos);
  EXPECT_TRUE(read("snapshots/latest/home/a").ok());
  store_.hold(false);
  for (int tries = 0; tries < 1000; ++tries) {
    const auto again = read("snapshots/latest/home/b");
    if (!again.ok()) continue;  // a slow machine
    EXPECT_TRUE(again.value() == files_.at("home/b").bytes);
    return;
  }
  FAIL() << "it never came";
}

TEST_F(Mount, WhoGivesUpIsNotKeptWaiting) {
  files_.directory("home");
  files_.file("home/a", noise(400'000, 1));
  backup();
  open();
  const auto file = mounted_->open_file(inode("snapshots/latest/home/a"), {}).value();
  store_.hold(true);
  std::stop_source gives_up;
  gives_up.request_stop();
  Buffer out(1000);
  EXPECT_EQ(mounted_->read(*file, 0, out, gives_up.get_token()).error().kind(), Errc::stopped);
}

TEST_F(Mount, NewSnapshotsAppearAndForgottenOnesGo) {
  files_.directory("home");
  files_.file("home/a", "old");
  backup();
  open();
  const std::vector<std::string> before = list(inode("snapshots"));
  ASSERT_EQ(before.size(), 2u);
  const Inode old = inode("snapshots/" + before.front() + "/home/a");
  files_.file("home/a", "new", 2);
  backup();  // an hour later
  const std::vector<std::string> after = list(inode("snapshots"));
  ASSERT_EQ(after.size(), 3u);
  EXPECT_EQ(after.front(), before.front());
  EXPECT_EQ(read("snapshots/latest/home/a").value(), "new");
  const auto repository = world_.open().value();
  flow::ForgetSpec spec;
  const repo::History history = repository->history({}).value();
  spec.ids = {history.snapshots().front()->id};
  ASSERT_TRUE(flow::forget(*repository, spec, {}).ok());
  world_.clock().advance_ns(3'600'000'000'000);
  EXPECT_EQ(list(inode("snapshots")).size(), 2u);
  EXPECT_EQ(mounted_->status(old, {}).value().size_bytes, 3u);  // whoever has it open goes on
}

TEST_F(Mount, AListThatCantBeReadLeavesTheOldOne) {
  files_.directory("home");
  files_.file("home/a", "old");
  backup();
  int complaints = 0;
  open({.roster = {.complain = [&](const Error&) { ++complaints; }}});
  store_.fail(true);
  world_.clock().advance_ns(3'600'000'000'000);
  EXPECT_EQ(list(inode("snapshots")).size(), 2u);
  EXPECT_EQ(complaints, 1);
  store_.fail(false);
  EXPECT_EQ(list(inode("snapshots")).size(), 2u);
}

TEST_F(Mount, NumbersThatNobodyGaveAreNothing) {
  files_.directory("home");
  backup();
  open();
  for (const Inode inode : {Inode{0}, Inode{77}, Inode{1} << 40, (Inode{1} << 40) + 1, ~Inode{0},
                            this->inode("snapshots/latest/home") + 1}) {
    EXPECT_EQ(mounted_->status(inode, {}).error().kind(), Errc::not_found) << inode;
  }
}

}  // namespace holdfast::mount
