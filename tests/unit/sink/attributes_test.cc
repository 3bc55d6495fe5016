// What chattr(1) sets comes back, over what is there too; and what the file system does not take is told.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "base/inode_flags.h"
#include "model/flags.h"
#include "sink/directory.h"
#include "source/files.h"
#include "tests/support/tree_build.h"
#include "tests/support/tree_copy.h"

namespace holdfast::sink {
namespace {

using test::TempTree;

constexpr std::uint32_t kNodump = 0x40;
constexpr std::uint32_t kNoatime = 0x80;
constexpr std::uint32_t kLocks = model::kFlagImmutable | model::kFlagAppendOnly;

// Of the file or directory at `path`; all bits where they can't be read.
std::uint32_t flags_of(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::uint32_t flags = 0;
  return get_inode_flags(fd.get(), flags) == 0 ? flags & model::kept_flags() : ~0u;
}

bool change_flags(const std::string& path, std::uint32_t add, std::uint32_t remove = 0) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::uint32_t flags = 0;
  return get_inode_flags(fd.get(), flags) == 0 && set_inode_flags(fd.get(), (flags | add) & ~remove) == 0;
}

struct Flagged {
  const char* name;
  std::uint32_t flags;
};
// Directories before what is in them.
constexpr std::array<Flagged, 6> kTree = {{{"folder", kLocks | kNodump},
                                           {"folder/in it", model::kFlagImmutable},
                                           {"log", model::kFlagAppendOnly | kNoatime},
                                           {"empty", kLocks},
                                           {"two names", model::kFlagImmutable},
                                           {"plain", 0}}};

// Takes away at the end what keeps the tree from being removed.
class Unlocked {
 public:
  explicit Unlocked(const TempTree& tree) : tree_(tree) {}
  ~Unlocked() {
    for (const Flagged& one : kTree) change_flags(tree_.at(one.name), 0, kLocks);
  }

 private:
  const TempTree& tree_;
};

class Flags : public ::testing::Test {
 protected:
  void SetUp() override {
    tree_.directory("folder");
    for (const Flagged& one : kTree) {
      if (std::string_view(one.name) != "folder") tree_.file(one.name, "content");
    }
    tree_.file("empty", "");
    tree_.link("two names too", "two names");
    for (std::size_t i = kTree.size(); i-- > 0;) {
      if (!change_flags(tree_.at(kTree[i].name), kTree[i].flags)) GTEST_SKIP() << "no such flags here";
    }
  }

  // Restores the tree onto the target; returns the warnings.
  std::vector<std::string> restore(Overwrite overwrite) {
    std::vector<std::string> warnings;
    DirectoryOptions options;
    options.overwrite = overwrite;
    options.warn = [&](const Warning& warning) { warnings.push_back(warning.path + ": " + warning.what); };
    auto source = source::FileSource::make({.roots = {tree_.path()}, .filters = {}});
    auto sink = DirectorySink::make(target_.path(), std::move(options));
    const auto copied = test::copy_tree(*source.value(), *sink.value(), tree_.path().substr(1));
    EXPECT_TRUE(copied.ok()) << (copied.ok() ? "" : copied.error().text());
    return warnings;
  }

  void expect_flags() {
    for (const Flagged& one : kTree) EXPECT_EQ(flags_of(target_.at(one.name)), one.flags) << one.name;
    struct stat a;
    struct stat b;
    ASSERT_EQ(::stat(target_.at("two names").c_str(), &a), 0);
    ASSERT_EQ(::stat(target_.at("two names too").c_str(), &b), 0);
    EXPECT_EQ(a.st_ino, b.st_ino);
  }

  TempTree tree_;
  TempTree target_;
  Unlocked of_tree_{tree_};
  Unlocked of_target_{target_};
};

TEST_F(Flags, ComeBackAndKeepNothingFromBeingRestored) {
  EXPECT_EQ(restore(Overwrite::always), std::vector<std::string>());
  expect_flags();
}

TEST_F(Flags, ComeBackOverWhatIsThereAndLocked) {
  for (const Overwrite overwrite : {Overwrite::always, Overwrite::if_changed, Overwrite::always}) {
    EXPECT_EQ(restore(overwrite), std::vector<std::string>());
    expect_flags();
    // Flags that the snapshot has not are taken away; another content is replaced though it is locked.
    ASSERT_TRUE(change_flags(target_.at("log"), 0, kLocks));
    target_.file("log", "something else");
    ASSERT_TRUE(change_flags(target_.at("log"), kLocks | kNodump));
    ASSERT_TRUE(change_flags(target_.at("plain"), kNodump));
  }
}

TEST_F(Flags, OfADirectoryThatIsOnlyPassedThroughStay) {
  target_.directory("folder");
  ASSERT_TRUE(change_flags(target_.at("folder"), kLocks | kNoatime));
  DirectoryOptions options;
  options.overwrite = Overwrite::never;
  const auto sink = std::move(DirectorySink::make(target_.path(), std::move(options))).value();
  model::Entry folder;
  folder.path = "folder";
  folder.attributes.type = model::FileType::directory;
  const auto was = sink->make_directory(folder);
  ASSERT_TRUE(was.ok() && was.value());
  EXPECT_EQ(flags_of(target_.at("folder")), kNoatime);
  ASSERT_TRUE(sink->put_back(*was.value()).ok());
  EXPECT_EQ(flags_of(target_.at("folder")), kLocks | kNoatime);
}

model::Entry own_file() {
  model::Entry entry;
  entry.path = "f";
  entry.attributes.mode = 0644;
  entry.attributes.uid = ::geteuid();
  entry.attributes.gid = ::getegid();
  return entry;
}

TEST(Attributes, TellFlagsThatTheFileSystemDoesNotKnow) {
  TempTree target;
  std::vector<std::string> warnings;
  DirectoryOptions options;
  options.warn = [&](const Warning& warning) { warnings.push_back(warning.what); };
  const auto sink = std::move(DirectorySink::make(target.path(), std::move(options))).value();
  model::Entry entry = own_file();
  entry.attributes.flags = 0x100000 | kNodump;
  const auto writer = sink->open_file(entry, Action::create);
  ASSERT_TRUE(writer.ok() && writer.value()->finish(entry).ok());
  const std::uint32_t now = flags_of(target.at("f"));
  if (now == ~0u) GTEST_SKIP() << "no flags here";
  EXPECT_EQ(now, kNodump);  // one that can't be set keeps no other from it
  EXPECT_EQ(warnings, std::vector<std::string>{"flags V"});
}

TEST(Attributes, TellTimesThatTheFileSystemChanged) {
  TempTree target;
  std::vector<std::string> warnings;
  DirectoryOptions options;
  options.warn = [&](const Warning& warning) { warnings.push_back(warning.what); };
  const auto sink = std::move(DirectorySink::make(target.path(), std::move(options))).value();
  model::Entry entry = own_file();
  for (const std::int64_t seconds : {-9'000'000'000, -1L, 1L << 33, 1L << 40}) {
    warnings.clear();
    entry.mtime = {seconds, 7};
    const auto writer = sink->open_file(entry, Action::create);
    ASSERT_TRUE(writer.ok() && writer.value()->finish(entry).ok());
    struct stat st;
    ASSERT_EQ(::stat(target.at("f").c_str(), &st), 0);
    const bool kept = st.st_mtim.tv_sec == seconds && st.st_mtim.tv_nsec == 7;
    EXPECT_EQ(warnings, kept ? std::vector<std::string>() : std::vector<std::string>{"times"}) << seconds;
    EXPECT_EQ(::unlink(target.at("f").c_str()), 0);
  }
}

}  // namespace
}  // namespace holdfast::sink
