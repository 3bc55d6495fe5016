#include "sink/directory.h"

#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "base/task_group.h"
#include "source/files.h"
#include "tests/support/tree_build.h"
#include "tests/support/tree_copy.h"
#include "tests/support/tree_describe.h"

namespace holdfast::sink {
namespace {

using test::describe_tree;
using test::TempTree;

struct Restored {
  test::Copied copied;
  std::vector<std::string> warnings;  // "path: what"
  std::string error;
};

Restored restore(const std::string& from, const std::string& to, DirectoryOptions options = {}) {
  Restored out;
  options.warn = [&](const Warning& warning) { out.warnings.push_back(warning.path + ": " + warning.what); };
  auto source = source::FileSource::make({.roots = {from}, .filters = {}});
  auto sink = DirectorySink::make(to, std::move(options));
  if (!source.ok() || !sink.ok()) {
    out.error = (source.ok() ? sink.error() : source.error()).text();
    return out;
  }
  auto copied = test::copy_tree(*source.value(), *sink.value(), from.substr(1));
  if (copied.ok()) {
    out.copied = std::move(copied).value();
  } else {
    out.error = copied.error().text();
  }
  return out;
}

// Says which lines differ rather than printing both trees.
void expect_same(const std::string& a, const std::string& b) {
  const auto in_a = describe_tree(a);
  auto in_b = describe_tree(b);
  for (const auto& [path, line] : in_a) {
    EXPECT_EQ(line, in_b[path]) << path;
    in_b.erase(path);
  }
  for (const auto& [path, line] : in_b) ADD_FAILURE() << "too many: " << path << " " << line;
}

TEST(DirectorySink, BringsBackEverything) {
  TempTree tree;
  test::build_zoo(tree);
  test::build_deep(tree);
  TempTree target;
  const Restored restored = restore(tree.path(), target.at("new/one"));
  EXPECT_EQ(restored.error, "");
  EXPECT_EQ(restored.warnings, std::vector<std::string>());
  expect_same(tree.path(), target.at("new/one"));
  struct stat st;
  ASSERT_EQ(::stat(target.at("new/one/sparse").c_str(), &st), 0);
  EXPECT_LT(st.st_blocks * 512, 1 << 20);
}

TEST(DirectorySink, BringsBackEverythingOverWhatWasChanged) {
  TempTree tree;
  test::build_zoo(tree);
  test::build_deep(tree);
  for (const Overwrite overwrite : {Overwrite::always, Overwrite::if_changed}) {
    TempTree target;
    TempTree aside;
    ASSERT_EQ(restore(tree.path(), target.path()).error, "");
    target.file("plain.txt", "HELLO, and more");
    target.file("empty", "not any more");
    target.file("sparse", "short");
    target.file("links/two", "changes links/one as well");
    ASSERT_EQ(::unlink(target.at("xattrs").c_str()), 0);
    target.directory("xattrs");
    ASSERT_EQ(::unlink(target.at("special/fifo").c_str()), 0);
    target.symlink("special/fifo", "/etc");
    ASSERT_EQ(::unlink(target.at("links/up").c_str()), 0);
    target.symlink("links/up", "elsewhere");
    target.xattr("empty-directory", "user.new", "to be removed");
    target.xattr("acl-directory", "user.new", "to be removed");
    ASSERT_EQ(::rename(target.at("order/a").c_str(), aside.at("a").c_str()), 0);
    target.symlink("order/a", aside.at("a"));  // a directory must not be reached through it
    const Restored restored = restore(tree.path(), target.path(), {.overwrite = overwrite});
    EXPECT_EQ(restored.error, "");
    EXPECT_EQ(restored.warnings, std::vector<std::string>());
    expect_same(tree.path(), target.path());
    EXPECT_EQ(describe_tree(aside.path()).size(), 2u);
  }
}

TEST(DirectorySink, IntoADirectoryThatHandsDownItsGroupAndAcl) {
  TempTree tree;
  test::build_zoo(tree);
  test::build_deep(tree);
  TempTree target;
  target.directory("t", 02777);
  target.xattr("t", "system.posix_acl_default",
               {"\2\0\0\0\1\0\7\0\xff\xff\xff\xff\2\0\7\0\x39\5\0\0\4\0\5\0\xff\xff\xff\xff"
                "\x10\0\7\0\xff\xff\xff\xff\x20\0\5\0\xff\xff\xff\xff",
                44});
  const Restored restored = restore(tree.path(), target.at("t"));
  EXPECT_EQ(restored.error, "");
  EXPECT_EQ(restored.warnings, std::vector<std::string>());
  expect_same(tree.path(), target.at("t"));
}

TEST(DirectorySink, WritesOnlyWhatDiffers) {
  TempTree tree;
  std::string content(1 << 20, '\0');
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 7 + i / 4096);
  tree.file("f", content);
  TempTree target;
  EXPECT_EQ(restore(tree.path(), target.path()).copied.written_bytes, content.size());
  EXPECT_EQ(restore(tree.path(), target.path()).copied.written_bytes, 0u);
  EXPECT_EQ(restore(tree.path(), target.path(), {.overwrite = Overwrite::always}).copied.written_bytes, 0u);
  content[500000] ^= 1;
  target.file("f", content);
  EXPECT_EQ(restore(tree.path(), target.path()).copied.written_bytes, 4096u);
  content += "longer";
  target.file("f", content);
  EXPECT_EQ(restore(tree.path(), target.path()).copied.written_bytes, 4096u);
  expect_same(tree.path(), target.path());
}

TEST(DirectorySink, LeavesOtherNamesOfAFileAlone) {
  TempTree tree;
  tree.file("f", "new");
  TempTree target;
  target.file("f", "old");
  target.link("kept", "f");
  EXPECT_EQ(restore(tree.path(), target.path()).error, "");
  EXPECT_EQ(describe_tree(target.path()).at("f"), describe_tree(tree.path()).at("f"));
  std::ifstream kept(target.at("kept"));
  std::string content;
  kept >> content;
  EXPECT_EQ(content, "old");
}

// That is what the kernel calls a name that is gone.
TEST(DirectorySink, TakesNoNameForOneThatIsGone) {
  TempTree tree;
  tree.file("f (deleted)", "new");
  tree.symlink("l (deleted)", "f");
  tree.fifo("p (deleted)");
  const TempTree target;
  for (int turn = 0; turn < 2; ++turn) {
    const Restored restored = restore(tree.path(), target.path());
    EXPECT_EQ(restored.error, "");
    EXPECT_TRUE(restored.warnings.empty());
    expect_same(tree.path(), target.path());
  }
}

TEST(DirectorySink, OverwritesAsTold) {
  TempTree tree;
  tree.file("f", "new");
  tree.mtime("f", 1000, 0);
  TempTree target;
  const auto after = [&](Overwrite overwrite, std::string_view there, long mtime) {
    target.file("f", there);
    target.mtime("f", mtime, 0);
    EXPECT_EQ(restore(tree.path(), target.path(), {.overwrite = overwrite}).error, "");
    return describe_tree(target.path()).at("f");
  };
  const std::string expected = describe_tree(tree.path()).at("f");
  EXPECT_NE(after(Overwrite::never, "old", 5), expected);
  EXPECT_NE(after(Overwrite::if_newer, "old", 2000), expected);
  EXPECT_EQ(after(Overwrite::if_newer, "old", 5), expected);
  EXPECT_NE(after(Overwrite::if_changed, "old", 1000),
            expected);  // the same size and time: taken as the same
  EXPECT_EQ(after(Overwrite::always, "old", 1000), expected);
}

TEST(DirectorySink, SparseLeavesOutZeros) {
  TempTree tree;
  std::string content(1 << 20, '\0');
  content.replace(300001, 5, "hello");
  content.replace(content.size() - 1, 1, "!");
  tree.file("f", content);
  tree.file("zeros", std::string(100000, '\0'));
  TempTree target;
  EXPECT_LE(restore(tree.path(), target.path(), {.sparse = true}).copied.written_bytes, 3u * 4096);
  expect_same(tree.path(), target.path());
}

model::Entry entry_of(std::string path, model::FileType type) {
  model::Entry entry;
  entry.path = std::move(path);
  entry.attributes.type = type;
  entry.attributes.mode = 0700;
  entry.attributes.uid = ::geteuid();
  entry.attributes.gid = ::getegid();
  return entry;
}

TEST(DirectorySink, RefusesUnsafePaths) {
  TempTree target;
  const auto sink = std::move(DirectorySink::make(target.path(), {})).value();
  const std::string with_nul("a\0b", 3);
  for (const std::string& path :
       {std::string("/etc/x"), std::string("../x"), std::string("a/../../x"), std::string(""),
        std::string("a//b"), std::string("."), std::string("a/."), std::string("a/"), with_nul}) {
    const model::Entry file = entry_of(path, model::FileType::regular);
    EXPECT_EQ(sink->decide(file).error().kind(), Errc::damaged) << path;
    EXPECT_EQ(sink->open_file(file, Action::create).error().kind(), Errc::damaged) << path;
    EXPECT_EQ(sink->make_directory(entry_of(path, model::FileType::directory)).error().kind(), Errc::damaged)
        << path;
    EXPECT_EQ(sink->make_special(entry_of(path, model::FileType::fifo), Action::create).error().kind(),
              Errc::damaged);
    EXPECT_EQ(sink->read_back(path).error().kind(), Errc::damaged) << path;
    EXPECT_EQ(sink->link(entry_of("ok", model::FileType::regular), path).error().kind(), Errc::damaged)
        << path;
  }
  EXPECT_TRUE(describe_tree(target.path()).empty());
}

TEST(DirectorySink, DoesNotFollowALinkItRestoredItself) {
  TempTree outside;
  TempTree target;
  const auto sink = std::move(DirectorySink::make(target.path(), {})).value();
  model::Entry link = entry_of("a", model::FileType::symlink);
  link.target = outside.path();
  ASSERT_TRUE(sink->make_special(link, Action::create).ok());
  EXPECT_FALSE(sink->open_file(entry_of("a/x", model::FileType::regular), Action::create).ok());
  EXPECT_FALSE(sink->make_directory(entry_of("a/y", model::FileType::directory)).ok());
  EXPECT_FALSE(sink->open_file(entry_of("a", model::FileType::regular), Action::update).ok());
  EXPECT_TRUE(describe_tree(outside.path()).empty());
}

TEST(DirectorySink, AFileNotFinishedIsRemoved) {
  TempTree target;
  const auto sink = std::move(DirectorySink::make(target.path(), {})).value();
  {
    auto writer = sink->open_file(entry_of("f", model::FileType::regular), Action::create);
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE(writer.value()->write(0, as_bytes("half")).ok());
  }
  EXPECT_TRUE(describe_tree(target.path()).empty());
}

TEST(DirectorySink, RemovesOthersAndTellsOfThem) {
  TempTree target;
  TempTree outside;
  outside.file("precious", "");
  for (const char* name : {"keep/a", "keep/b", "go/deep/er/x", "go/y", "spared/z"}) target.file(name, "");
  target.symlink("link", outside.path());
  target.symlink("go/link", outside.path());
  const auto sink = std::move(DirectorySink::make(target.path(), {})).value();
  std::vector<std::string> told;
  const auto may_remove = [&](const std::string& path, bool) {
    told.push_back(path);
    return path != "spared";
  };
  ASSERT_TRUE(sink->remove_others("", {"keep"}, may_remove).ok());
  ASSERT_TRUE(sink->remove_others("keep", {"a"}, may_remove).ok());
  EXPECT_EQ(told, (std::vector<std::string>{"go", "link", "spared", "keep/b"}));
  std::vector<std::string> left;
  for (const auto& [path, line] : describe_tree(target.path())) left.push_back(path);
  EXPECT_EQ(left, (std::vector<std::string>{"keep", "keep/a", "spared", "spared/z"}));
  EXPECT_EQ(describe_tree(outside.path()).size(), 1u);
}

TEST(DirectorySink, ADryRunChangesNothing) {
  TempTree target;
  target.file("f", "x");
  const auto there = std::move(DirectorySink::make(target.path(), {.dry_run = true})).value();
  EXPECT_EQ(there->decide(entry_of("f", model::FileType::regular)).value(), Action::update);
  EXPECT_EQ(there->decide(entry_of("g", model::FileType::regular)).value(), Action::create);
  EXPECT_EQ(there->decide(entry_of("g/h", model::FileType::regular)).value(), Action::create);
  const auto missing = std::move(DirectorySink::make(target.at("no/where"), {.dry_run = true})).value();
  EXPECT_EQ(missing->decide(entry_of("f", model::FileType::regular)).value(), Action::create);
  EXPECT_EQ(describe_tree(target.path()).size(), 1u);
}

TEST(DirectorySink, MakesSockets) {
  TempTree target;
  const auto sink = std::move(DirectorySink::make(target.path(), {})).value();
  model::Entry entry = entry_of("s", model::FileType::socket);
  entry.attributes.mode = 0711;
  EXPECT_TRUE(sink->make_special(entry, Action::create).ok());
  struct stat st;
  ASSERT_EQ(::lstat(target.at("s").c_str(), &st), 0);
  EXPECT_TRUE(S_ISSOCK(st.st_mode));
  EXPECT_EQ(st.st_mode & 07777u, 0711u);
}

TEST(DirectorySink, AnUnprivilegedUserIsToldWhatHeCannotSet) {
  TempTree target;
  target.directory("", 0777);
  const auto body = [](const std::string& path) {
    std::vector<std::string> warnings;
    DirectoryOptions options;
    options.warn = [&](const Warning& warning) { warnings.push_back(warning.what); };
    auto sink = DirectorySink::make(path + "/t", std::move(options));
    if (!sink.ok()) return 1;
    model::Entry entry = entry_of("f", model::FileType::regular);
    entry.attributes.uid = 1;
    entry.attributes.mode = 06755;
    entry.attributes.xattrs = {{"trusted.x", "1"}, {"user.y", "2"}};
    auto writer = sink.value()->open_file(entry, Action::create);
    if (!writer.ok() || !writer.value()->finish(entry).ok()) return 2;
    struct stat st;
    if (::stat((path + "/t/f").c_str(), &st) != 0) return 3;
    if ((st.st_mode & 07777) != 0755 || st.st_uid == 1) return 4;  // somebody else's suid isn't ours
    if (warnings != std::vector<std::string>{"owner", "mode", "xattr trusted.x"}) return 5;
    return 0;
  };
  EXPECT_EQ(test::run_unprivileged(body, target.path()), 0);
}

// Restores a file with this content; 0 on success.
int restore_file(DirectorySink& sink, const model::Entry& entry, std::string_view content) {
  auto action = sink.decide(entry);
  if (!action.ok()) return 1;
  auto writer = sink.open_file(entry, action.value());
  if (!writer.ok()) return 2;
  if (action.value() != Action::metadata && !writer.value()->write(0, as_bytes(content)).ok()) return 3;
  return writer.value()->finish(entry).ok() ? 0 : 4;
}

TEST(DirectorySink, AnUnprivilegedUserCanRestoreOverFilesThatForbidIt) {
  TempTree target;
  target.directory("", 0777);
  const auto body = [](const std::string& path) {
    const std::string top = path + "/t";
    for (const std::string_view content : {"first", "again", "again"}) {
      auto sink = DirectorySink::make(top, {});
      if (!sink.ok()) return 10;
      for (const unsigned mode : {0444u, 0u}) {
        model::Entry entry = entry_of("f" + std::to_string(mode), model::FileType::regular);
        entry.attributes.mode = mode;
        entry.size_bytes = content.size();
        entry.mtime = {content == "first" ? 1 : 2, 0};
        if (const int failure = restore_file(*sink.value(), entry, content); failure != 0) return failure;
        struct stat st;
        if (::stat((top + "/" + entry.path).c_str(), &st) != 0 || (st.st_mode & 07777) != mode) return 11;
      }
    }
    return describe_tree(top).size() == 2 ? 0 : 12;
  };
  EXPECT_EQ(test::run_unprivileged(body, target.path()), 0);
}

TEST(DirectorySink, ReplacesAProgramThatIsRunning) {
  TempTree target;
  ASSERT_EQ(::system(("cp /bin/sleep " + target.at("program")).c_str()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl(target.at("program").c_str(), "program", "1000", nullptr);
    ::_exit(1);
  }
  // Once it runs, its /proc entry tells its new name.
  const auto running = [&] {
    std::array<char, 4096> name{};
    return ::readlink(fmt::format("/proc/{}/exe", child).c_str(), name.data(), name.size() - 1) > 0 &&
           target.at("program") == name.data();
  };
  while (!running()) ::sched_yield();
  const auto sink = std::move(DirectorySink::make(target.path(), {})).value();
  model::Entry entry = entry_of("program", model::FileType::regular);
  entry.size_bytes = 3;
  EXPECT_EQ(restore_file(*sink, entry, "new"), 0);
  EXPECT_NE(describe_tree(target.path()).at("program").find("size=3 "), std::string::npos);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST(DirectorySink, WorkersRestoreSideBySide) {
  TempTree target;
  const auto sink = std::move(DirectorySink::make(target.path(), {})).value();
  std::vector<model::Entry> directories;
  for (int i = 0; i < 100; ++i)
    directories.push_back(entry_of(fmt::format("d{}", i), model::FileType::directory));
  for (const model::Entry& directory : directories) ASSERT_TRUE(sink->make_directory(directory).ok());
  model::Entry shared = entry_of("shared", model::FileType::regular);
  shared.size_bytes = 4 * 10000;
  const auto writer = std::move(sink->open_file(shared, Action::create)).value();
  TaskGroup workers;
  for (std::size_t worker = 0; worker < 4; ++worker) {
    workers.spawn([&, worker](std::stop_token) -> Result<void> {
      TRY(writer->write(worker * 10000, as_bytes(std::string(10000, static_cast<char>('a' + worker)))));
      for (std::size_t i = worker; i < 400; i += 4) {
        model::Entry entry = entry_of(fmt::format("d{}/f{}", i % 100, i), model::FileType::regular);
        entry.size_bytes = 4;
        if (restore_file(*sink, entry, "text") != 0) return Error(Errc::failed, entry.path);
      }
      return {};
    });
  }
  const auto done = workers.wait();
  EXPECT_TRUE(done.ok()) << done.error().text();
  ASSERT_TRUE(writer->finish(shared).ok());
  for (const model::Entry& directory : directories) EXPECT_TRUE(sink->finish_directory(directory).ok());
  EXPECT_EQ(describe_tree(target.path()).size(), 501u);
  const Fd fd = std::move(sink->read_back("shared")).value();
  std::string content(50000, '\0');
  ASSERT_EQ(::read(fd.get(), content.data(), content.size()), 40000);
  for (std::size_t i = 0; i < 40000; ++i) ASSERT_EQ(content[i], static_cast<char>('a' + i / 10000)) << i;
}

}  // namespace
}  // namespace holdfast::sink
