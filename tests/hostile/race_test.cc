// Attackers at work while a restore or a backup runs: threads that swap directories, files and links in the
// target directory (which is theirs), or in the source. Nothing outside the target changes, and nothing of
// what lies outside the source is read. What they do inside is theirs to do: files may end up missing or
// elsewhere below the target, and then an error says so. HOLDFAST_TEST_LONG=1 runs on.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <filesystem>
#include <thread>

#include "base/open_beneath.h"
#include "sink/directory.h"
#include "source/files.h"
#include "tests/support/tree_build.h"
#include "tests/support/tree_describe.h"

namespace holdfast {

namespace {

using test::describe_tree;
using test::TempTree;

int rounds(int few) { return std::getenv("HOLDFAST_TEST_LONG") != nullptr ? few * 100 : few; }

// Swaps `top`/a, /b, … with links to `outside` and with each other, until stopped.
class Attacker {
 public:
  Attacker(std::string top, std::string outside) : top_(std::move(top)), outside_(std::move(outside)) {
    thread_ = std::thread([this] {
      while (!stop_) swap();
    });
  }
  ~Attacker() {
    stop_ = true;
    thread_.join();
  }
  std::uint64_t swaps() const { return swaps_; }

 private:
  void swap() {
    for (const char* name : {"/d0", "/d1", "/d0/e", "/d1/f3", "/d0/e/f1", "/d1/fifo"}) {
      const std::string path = top_ + name, aside = path + ".aside";
      const bool file =
          name[std::string_view(name).size() - 2] == 'f' || std::string_view(name) == "/d1/fifo";
      if (::rename(path.c_str(), aside.c_str()) != 0) continue;
      ++swaps_;
      // A link to what is outside; then another name of it, where the kernel lets us.
      const std::string target = file ? outside_ + "/canary" : outside_;
      static_cast<void>(::symlink(target.c_str(), path.c_str()));
      std::this_thread::yield();
      ::unlink(path.c_str());
      if (file && ::link((outside_ + "/canary").c_str(), path.c_str()) == 0) {
        std::this_thread::yield();
        ::unlink(path.c_str());
      }
      ::rename(aside.c_str(), path.c_str());
    }
  }

  const std::string top_, outside_;
  std::atomic<bool> stop_ = false;
  std::atomic<std::uint64_t> swaps_ = 0;
  std::thread thread_;
};

// The same names outside as in the target or the source, so that whoever is led out finds what he looks for.
void build_outside(const TempTree& tree) {
  for (const char* name : {"canary", "f1", "f3", "e/f1", "e/f3"}) tree.file(name, "of the outside", 0600);
  tree.fifo("fifo");
  tree.mtime("canary", 1000, 0);
}

model::Entry entry_of(std::string path, model::FileType type) {
  model::Entry entry;
  entry.path = std::move(path);
  entry.attributes.type = type;
  entry.attributes.mode = type == model::FileType::regular ? 06777 : 0777;
  entry.attributes.uid = ::geteuid() == 0 ? 65534 : ::geteuid();
  entry.attributes.gid = ::getegid();
  entry.attributes.xattrs = {{"user.mine", "now"}};
  entry.mtime = {2000, 0};
  if (type == model::FileType::regular) entry.size_bytes = 8;
  if (type != model::FileType::regular && type != model::FileType::directory) entry.attributes.xattrs.clear();
  return entry;
}

struct Tally {
  int done = 0, refused = 0;
  void add(bool ok) { ++(ok ? done : refused); }
};

bool restore_one(sink::DirectorySink& sink, const model::Entry& entry) {
  const auto action = sink.decide(entry);
  if (!action.ok()) return false;
  if (entry.attributes.type != model::FileType::regular) return sink.make_special(entry, action.value()).ok();
  auto writer = sink.open_file(entry, action.value());
  if (!writer.ok() || writer.value() == nullptr) return false;
  if (action.value() != sink::Action::metadata && !writer.value()->write(0, as_bytes("restored")).ok())
    return false;
  return writer.value()->finish(entry).ok();
}

void restore_all(const std::string& target, sink::Overwrite overwrite, unsigned mode, Tally& tally) {
  auto made = sink::DirectorySink::make(target, {.overwrite = overwrite});
  if (!made.ok()) return;
  sink::DirectorySink& sink = *made.value();
  const auto removes = [](const std::string&, bool) { return true; };
  for (const char* name : {"d0", "d0/e", "d1"})
    tally.add(sink.make_directory(entry_of(name, model::FileType::directory)).ok());
  for (const char* directory : {"d0/e/", "d1/", "d0/"}) {
    for (int i = 0; i < 4; ++i) {
      model::Entry file = entry_of(fmt::format("{}f{}", directory, i), model::FileType::regular);
      file.attributes.mode = mode;
      tally.add(restore_one(sink, file));
      tally.add(
          sink.link(entry_of(fmt::format("{}g{}", directory, i), model::FileType::regular), file.path).ok());
      static_cast<void>(sink.read_back(file.path));
    }
  }
  tally.add(restore_one(sink, entry_of("d1/fifo", model::FileType::fifo)));
  static_cast<void>(sink.remove_others("d0/e", {"f0", "f1"}, removes));
  for (const char* name : {"d1", "d0/e", "d0"})
    tally.add(sink.finish_directory(entry_of(name, model::FileType::directory)).ok());
}

void race_restores(int few) {
  TempTree world;
  const TempTree outside;
  build_outside(outside);
  world.directory("target");
  const auto before = describe_tree(outside.path());
  Tally tally;
  std::uint64_t swaps = 0;
  {
    const Attacker attacker(world.at("target"), outside.path());
    for (int i = 0; i < rounds(few); ++i) {
      const auto overwrite = i % 2 == 0 ? sink::Overwrite::always : sink::Overwrite::if_changed;
      restore_all(world.at("target"), overwrite, i % 3 == 0 ? 06755 : 0644, tally);
    }
    swaps = attacker.swaps();
  }
  // Another name that the attacker has given to what is outside may have been given one more by link().
  std::filesystem::remove_all(world.at("target"));
  EXPECT_EQ(describe_tree(outside.path()), before);
  EXPECT_GT(tally.done, 0);
  EXPECT_GT(swaps, 0u);
  fmt::print("{} steps done, {} refused, {} swaps\n", tally.done, tally.refused, swaps);
}

TEST(Race, ARestoreNeverLeavesItsTarget) { race_restores(150); }

// Contents and names that a backup of `root` would hold.
void back_up(const std::string& root, std::set<std::string>& read, Tally& tally) {
  auto made = source::FileSource::make({.roots = {root}, .filters = {}});
  if (!made.ok()) return;
  source::FileSource& source = *made.value();
  source::Item item;
  for (;;) {
    const auto next = source.next(item, {});
    if (!next.ok() || !next.value()) return;
    tally.add(source.complete(item).ok());
    for (const model::Xattr& xattr : item.entry.attributes.xattrs) read.insert(xattr.value);
    if (item.entry.attributes.type != model::FileType::regular) continue;
    const auto content = source.open(item);
    tally.add(content.ok());
    if (!content.ok()) continue;
    std::array<std::uint8_t, 64> bytes{};
    const auto got = content.value()->read(0, bytes);
    if (got.ok()) read.insert(std::string(as_text(Bytes(bytes).first(got.value()))));
  }
}

void race_backups(int few) {
  TempTree world;
  const TempTree outside;
  // Other names of a file outside are files of the source; so no hard links here.
  for (const char* name : {"canary/x", "f1", "f3", "e/f1", "e/f3", "e/e/f1"})
    outside.file(name, "of the outside");
  outside.xattr("f1", "user.of", "of the outside");
  for (const char* name : {"top/d0/e/f1", "top/d0/e/f3", "top/d0/f1", "top/d1/f3", "top/d1/f1"})
    world.file(name, "of the source");
  std::set<std::string> read;
  Tally tally;
  std::uint64_t swaps = 0;
  {
    const Attacker attacker(world.at("top"), outside.path());
    for (int i = 0; i < rounds(few); ++i) back_up(world.at("top"), read, tally);
    swaps = attacker.swaps();
  }
  EXPECT_EQ(read, std::set<std::string>{"of the source"});
  EXPECT_GT(swaps, 0u);
  fmt::print("{} steps done, {} refused, {} swaps\n", tally.done, tally.refused, swaps);
}

TEST(Race, ABackupNeverLeavesItsSource) { race_backups(1000); }

// Above a root links are followed; but once it is under way, a backup stays where they led at first.
TEST(Race, ALinkAboveTheRootThatIsTurned) {
  TempTree world;
  for (const char* name : {"one/root/d/f", "two/root/d/f"}) world.file(name, name);
  world.symlink("current", "one");
  auto source =
      std::move(source::FileSource::make({.roots = {world.at("current/root")}, .filters = {}})).value();
  source::Item item;
  while (item.entry.path != world.entry("current/root/d/f")) ASSERT_TRUE(source->next(item, {}).value());
  ASSERT_EQ(::unlink(world.at("current").c_str()), 0);
  world.symlink("current", "two");
  // So that nothing is left of the way that was found before.
  for (int i = 0; i < 70; ++i) {
    source::Item other;
    other.entry.path = world.entry(fmt::format("one/root/d/{}", i));
    world.directory(fmt::format("one/root/d/{}", i));
    other.entry.path += "/none";
    EXPECT_FALSE(source->open(other).ok());
  }
  const auto content = source->open(item);
  if (!content.ok()) return;  // refused, which is as good
  std::array<std::uint8_t, 64> bytes{};
  const std::size_t got = content.value()->read(0, bytes).value();
  EXPECT_EQ(as_text(Bytes(bytes).first(got)), "one/root/d/f");
}

// Makes a system call fail in this process and its children, as an old kernel or a container's filter does.
bool forbid(long number, unsigned failure) {
  const std::array<sock_filter, 4> code{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(number), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | failure),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  const sock_fprog program{code.size(), const_cast<sock_filter*>(code.data())};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

// Runs `body` in a child; its exit status.
template <typename Body>
int in_a_child(Body body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

// The same again, in a process that never saw the call work.
TEST(Race, NorDoTheyWithoutOpenat2) {
  for (const unsigned failure : {ENOSYS, EPERM}) {
    const int status = in_a_child([&] {
      if (!forbid(SYS_openat2, failure)) return 2;
      const Fd top(::open("/", O_PATH | O_CLOEXEC));
      if (::syscall(SYS_openat2, top.get(), "tmp", nullptr, 0) >= 0 ||
          static_cast<unsigned>(errno) != failure)
        return 3;
      ::execl("/proc/self/exe", "race_test", "--gtest_filter=Race.A*", nullptr);
      return 4;
    });
    EXPECT_EQ(status, 0);
  }
}

TEST(OpenBeneath, TheSameWithAndWithoutTheKernel) {
  const TempTree tree;
  tree.file("a/b/c", "x");
  tree.symlink("a/link", "b");
  tree.symlink("a/up", "../..");
  tree.symlink("a/file", "b/c");
  ASSERT_TRUE(kernel_resolves_beneath());
  const Fd top(::open(tree.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const auto outcome = [&](auto open, const char* path, int flags) {
    const Fd fd = open(top.get(), path, flags, 0);
    struct stat st;
    return fd.valid() ? (::fstat(fd.get(), &st) == 0 ? std::to_string(st.st_ino) : "?")
                      : fmt::format("-{}", errno);
  };
  for (const char* path : {"a", "a/b", "a/b/c", "a/b/.", "a//b", "none", "a/none/x", "", "/etc", "..",
                           "a/link", "a/link/c", "a/up", "a/up/etc", "a/file"}) {
    for (const int flags : {O_RDONLY, O_PATH | O_NOFOLLOW, O_PATH | O_DIRECTORY}) {
      const std::string with = outcome(open_beneath, path, flags | O_CLOEXEC);
      const std::string without = outcome(open_by_components, path, flags | O_CLOEXEC);
      EXPECT_EQ(with.starts_with('-'), without.starts_with('-')) << path << " " << with << " " << without;
      if (!with.starts_with('-')) {
        EXPECT_EQ(with, without) << path;
      }
    }
  }
}

// What ARestoreNeverLeavesItsTarget finds only once in thousands of restores: a file of elsewhere is linked
// into the target, opened by that name, and the name removed, so that it has one name and that isn't ours.
TEST(OpenBeneath, KnowsTheNameThatIsGone) {
  const TempTree tree;
  tree.file("outside/canary", "x");
  tree.directory("target");
  ASSERT_EQ(::link(tree.at("outside/canary").c_str(), tree.at("target/f").c_str()), 0);
  const Fd top(::open(tree.at("target").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  for (const int flags : {O_RDONLY, O_PATH | O_NOFOLLOW}) {
    const Fd fd = open_beneath(top.get(), "f", flags | O_CLOEXEC);
    EXPECT_EQ(opened_name(fd.get(), "f"), OpenedName::there);
    ASSERT_EQ(::rename(tree.at("target/f").c_str(), tree.at("target/g").c_str()), 0);
    EXPECT_EQ(opened_name(fd.get(), "f"), OpenedName::there) << "moved, not gone";
    ASSERT_EQ(::unlink(tree.at("target/g").c_str()), 0);
    struct stat st;
    ASSERT_EQ(::fstat(fd.get(), &st), 0);
    EXPECT_EQ(st.st_nlink, 1u);
    EXPECT_EQ(opened_name(fd.get(), "f"), OpenedName::gone);
    ASSERT_EQ(::link(tree.at("outside/canary").c_str(), tree.at("target/f").c_str()), 0);
    EXPECT_EQ(opened_name(fd.get(), "f"), OpenedName::gone) << "the same name of the same file came back";
  }
  tree.file("target/f (deleted)", "x");
  const Fd odd = open_beneath(top.get(), "f (deleted)", O_RDONLY | O_CLOEXEC);
  EXPECT_EQ(opened_name(odd.get(), "f (deleted)"), OpenedName::unknown);
  ASSERT_EQ(::unlink(tree.at("target/f (deleted)").c_str()), 0);
  EXPECT_EQ(opened_name(odd.get(), "f (deleted)"), OpenedName::gone);
}

// Landlock: what is outside can't be written even by code that has gone wrong.
TEST(Confined, WritesBelowTheTargetOnly) {
  const TempTree world;
  world.directory("outside");
  world.file("outside/canary", "x");
  const int status = in_a_child([&] {
    auto sink = std::move(sink::DirectorySink::make(world.at("target"), {})).value();
    const auto confined = sink->confine({});
    if (!confined.ok()) return confined.error().kind() == Errc::unsupported ? 77 : 2;
    const auto denied = [](int result) { return result < 0 && (errno == EACCES || errno == EXDEV); };
    const std::string out = world.at("outside");
    if (!denied(::open((out + "/canary").c_str(), O_WRONLY)) ||
        !denied(::open((out + "/new").c_str(), O_CREAT, 0600)))
      return 3;
    if (!denied(::mkdir((out + "/d").c_str(), 0700)) || !denied(::unlink((out + "/canary").c_str())))
      return 4;
    if (!denied(::symlink("x", (out + "/l").c_str()))) return 5;
    if (::open((out + "/canary").c_str(), O_RDONLY) < 0) return 6;
    if (::execl("/bin/true", "true", nullptr) == 0 || errno != EACCES) return 7;
    Tally tally;
    restore_all(world.at("target"), sink::Overwrite::always, 0644, tally);
    return tally.refused;
  });
  if (status == 77) GTEST_SKIP() << "no Landlock here";
  EXPECT_EQ(status, 0);
  EXPECT_EQ(describe_tree(world.at("outside")).size(), 1u);
}

TEST(Confined, SaysSoWhereItCannotBe) {
  constexpr long kCreateRuleset = 444;
  for (const unsigned failure : {ENOSYS, EPERM, EOPNOTSUPP}) {
    const TempTree world;
    const int status = in_a_child([&] {
      if (!forbid(kCreateRuleset, failure)) return 2;
      const auto sink = std::move(sink::DirectorySink::make(world.at("target"), {})).value();
      const auto confined = sink->confine({});
      return !confined.ok() && confined.error().kind() == Errc::unsupported ? 0 : 1;
    });
    EXPECT_EQ(status, 0);
  }
}

}  // namespace

}  // namespace holdfast
