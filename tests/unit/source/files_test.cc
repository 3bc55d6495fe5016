#include "source/files.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/inode_flags.h"
#include "tests/support/tree_build.h"

namespace holdfast::source {
namespace {

using test::TempTree;

std::unique_ptr<FileSource> open_source(FileOptions options) {
  auto source = FileSource::make(std::move(options));
  EXPECT_TRUE(source.ok()) << (source.ok() ? "" : source.error().text());
  return source.ok() ? std::move(source).value() : nullptr;
}

std::vector<Item> walk(FileSource& source) {
  std::vector<Item> items;
  Item item;
  while (true) {
    auto more = source.next(item, {});
    EXPECT_TRUE(more.ok()) << (more.ok() ? "" : more.error().text());
    if (!more.ok() || !more.value()) return items;
    items.push_back(item);
  }
}

// The paths below the tree's directory, which is left out like all above it.
std::vector<std::string> names(const TempTree& tree, FileOptions options) {
  const auto source = open_source(std::move(options));
  std::vector<std::string> out;
  const std::string top = tree.entry("");
  for (const Item& item : walk(*source)) {
    if (item.entry.path.starts_with(top)) out.push_back(item.entry.path.substr(top.size()));
  }
  return out;
}

constexpr std::uint32_t kNodump = 0x40;

using Names = std::vector<std::string>;

Rules rules_of(std::string_view lines) {
  Rules rules;
  EXPECT_TRUE(rules.add_lines(lines, "--exclude", {.floating = true}).ok());
  return rules;
}

TEST(FileSource, GivesEverythingInOrderOnce) {
  TempTree tree;
  test::build_zoo(tree);
  test::build_deep(tree);
  const auto source = open_source({.roots = {tree.path()}, .filters = {}});
  const std::vector<Item> items = walk(*source);
  for (std::size_t i = 1; i < items.size(); ++i) {
    EXPECT_LT(model::compare_paths(items[i - 1].entry.path, items[i].entry.path), 0) << items[i].entry.path;
  }
  // Every item but the first few has its directory before it.
  std::set<std::string> seen;
  for (const Item& item : items) {
    const std::size_t slash = item.entry.path.rfind('/');
    EXPECT_TRUE(slash == std::string::npos || seen.contains(item.entry.path.substr(0, slash)));
    seen.insert(item.entry.path);
    EXPECT_EQ(item.problem, "");
  }
  EXPECT_GT(items.size(), 90u);
  ASSERT_EQ(source->roots().size(), 1u);
  EXPECT_LT(source->roots()[0].entries, items.size());
}

TEST(FileSource, CanBeWalkedAgainFromAnywhere) {
  TempTree tree;
  test::build_zoo(tree);
  const auto source = open_source({.roots = {tree.path()}, .filters = {}});
  const std::size_t all = walk(*source).size();
  EXPECT_TRUE(source->repeatable());
  Item item;
  for (const std::size_t steps : {std::size_t{0}, all / 2}) {
    ASSERT_TRUE(source->restart().ok());
    for (std::size_t i = 0; i < steps; ++i) ASSERT_TRUE(source->next(item, {}).value());
  }
  ASSERT_TRUE(source->restart().ok());
  const std::vector<Item> again = walk(*source);
  EXPECT_EQ(again.size(), all);
  for (const Item& each : again) {
    if (each.entry.attributes.type != model::FileType::regular || !each.problem.empty()) continue;
    EXPECT_TRUE(source->open(each).ok()) << each.entry.path;
  }
  std::uint64_t counted = 0;
  for (const Root& root : source->roots()) counted += root.entries;
  EXPECT_LE(counted, all);
}

TEST(FileSource, StartsWithTheDirectoriesAboveEachRoot) {
  TempTree tree;
  tree.file("a/b/c/file", "");
  tree.file("a/b/other", "");
  tree.file("a/x/y", "");
  tree.file("z", "");
  EXPECT_EQ(names(tree, {.roots = {tree.at("a/x"), tree.at("z"), tree.at("a/b/c")}, .filters = {}}),
            (Names{"a", "a/b", "a/b/c", "a/b/c/file", "a/x", "a/x/y", "z"}));
}

TEST(FileSource, RootsThatSharePrefixesOfNamesStayApart) {
  TempTree tree;
  tree.file("a/x", "");
  tree.file("a-b/x", "");
  tree.file("a.b/d/x", "");
  tree.file("ab", "");
  EXPECT_EQ(
      names(tree, {.roots = {tree.at("ab"), tree.at("a.b/d"), tree.at("a-b"), tree.at("a")}, .filters = {}}),
      (Names{"a", "a/x", "a-b", "a-b/x", "a.b", "a.b/d", "a.b/d/x", "ab"}));
  EXPECT_EQ(names(tree, {.roots = {tree.at("a.b/d"), tree.at("a/x"), tree.at("a-b/x"), tree.at("ab")},
                         .filters = {}}),
            (Names{"a", "a/x", "a-b", "a-b/x", "a.b", "a.b/d", "a.b/d/x", "ab"}));
}

TEST(FileSource, NestedAndRepeatedRootsAreOne) {
  TempTree tree;
  tree.file("a/b/c", "");
  EXPECT_EQ(names(tree, {.roots = {tree.at("a/b"), tree.at("a//./b/../"), tree.at("a")}, .filters = {}}),
            (Names{"a", "a/b", "a/b/c"}));
}

TEST(FileSource, FollowsLinksAboveARootOnly) {
  TempTree tree;
  tree.file("real/root/file", "content");
  tree.symlink("way", "real");
  const auto source = open_source({.roots = {tree.at("way/root")}, .filters = {}});
  std::vector<Item> items = walk(*source);
  ASSERT_GE(items.size(), 3u);
  Item& file = items.back();
  EXPECT_EQ(file.entry.path, tree.entry("way/root/file"));
  EXPECT_EQ(items[items.size() - 3].entry.attributes.type, model::FileType::directory);
  for (Item& item : items) EXPECT_TRUE(source->complete(item).ok()) << item.entry.path;
  EXPECT_TRUE(source->open(file).ok());

  EXPECT_EQ(names(tree, {.roots = {tree.at("way")}, .filters = {}}), (Names{"way"}));
}

TEST(FileSource, ARootThatIsNotThereIsNamed) {
  TempTree tree;
  auto source = FileSource::make({.roots = {tree.path(), tree.at("gone")}, .filters = {}});
  ASSERT_FALSE(source.ok());
  EXPECT_EQ(source.error().kind(), Errc::not_found);
  EXPECT_NE(source.error().text().find("gone"), std::string::npos);
  EXPECT_EQ(FileSource::make({}).error().kind(), Errc::usage);
}

TEST(FileSource, TellsWhatAnEmptyRootIs) {
  TempTree tree;
  const auto source = open_source({.roots = {tree.path(), "/proc"}, .filters = {}});
  EXPECT_TRUE(source->roots()[0].is_mount_point);
  EXPECT_FALSE(source->roots()[1].is_mount_point);
}

TEST(FileSource, CompletesWhatNextLeftOut) {
  TempTree tree;
  tree.file("f", "x");
  tree.xattr("f", "user.b", "2");
  tree.xattr("f", "user.a", std::string(3000, '1'));
  tree.symlink("l", "target");
  tree.link("g", "f");
  const auto source = open_source({.roots = {tree.path()}, .filters = {}});
  std::vector<Item> items = walk(*source);
  Item& link = items.back();
  Item& file = items[items.size() - 3];
  EXPECT_TRUE(file.entry.attributes.xattrs.empty());
  ASSERT_TRUE(source->complete(file).ok());
  ASSERT_EQ(file.entry.attributes.xattrs.size(), 2u);
  EXPECT_EQ(file.entry.attributes.xattrs[0], (model::Xattr{"user.a", std::string(3000, '1')}));
  EXPECT_EQ(file.links, 2u);
  EXPECT_EQ(file.stamp.inode, items[items.size() - 2].stamp.inode);
  ASSERT_TRUE(source->complete(link).ok());
  EXPECT_EQ(link.entry.target, "target");
  EXPECT_TRUE(::geteuid() != 0 || link.entry.attributes.user == "root");
}

// Flags of what is opened for its content come with it; of all else with complete().
TEST(FileSource, ReadsFlagsAndBirthTimes) {
  TempTree tree;
  tree.file("full", "x");
  tree.file("empty", "");
  tree.directory("folder");
  for (const char* name : {"full", "empty", "folder"}) {
    const Fd fd(::open(tree.at(name).c_str(), O_RDONLY | O_CLOEXEC));
    std::uint32_t flags = 0;
    if (get_inode_flags(fd.get(), flags) != 0 || set_inode_flags(fd.get(), flags | kNodump) != 0)
      GTEST_SKIP() << "no flags here";
  }
  const auto source = open_source({.roots = {tree.path()}, .filters = {}});
  int seen = 0;
  for (Item& item : walk(*source)) {
    if (!item.entry.path.starts_with(tree.entry(""))) continue;
    ++seen;
    ASSERT_TRUE(source->complete(item).ok());
    if (item.entry.size_bytes > 0) {
      EXPECT_EQ(item.entry.attributes.flags, 0u);
      const auto content = source->open(item);
      ASSERT_TRUE(content.ok() && content.value()->complete(item.entry.attributes).ok());
    }
    EXPECT_EQ(item.entry.attributes.flags, kNodump) << item.entry.path;
    EXPECT_EQ(item.entry.attributes.project, 0u);
    ASSERT_TRUE(item.entry.birth.has_value());
    EXPECT_GE(item.stamp.ctime, *item.entry.birth);
    EXPECT_GT(item.entry.birth->seconds, 1'700'000'000);
  }
  EXPECT_EQ(seen, 3);
}

TEST(FileSource, ReadsContentAndSeesChanges) {
  TempTree tree;
  tree.file("f", "0123456789");
  const auto source = open_source({.roots = {tree.at("f")}, .filters = {}});
  const Item item = walk(*source).back();
  auto content = source->open(item);
  ASSERT_TRUE(content.ok());
  Buffer buffer(20);
  EXPECT_EQ(content.value()->read(3, buffer).value(), 7u);
  EXPECT_EQ(as_text(Bytes(buffer).first(7)), "3456789");
  EXPECT_TRUE(content.value()->unchanged_since(item).value());
  tree.file("f", "other");
  EXPECT_FALSE(content.value()->unchanged_since(item).value());
}

TEST(FileSource, AFileThatWasReplacedIsNotOpened) {
  TempTree tree;
  tree.file("f", "x");
  tree.file("d/f", "x");
  const auto source = open_source({.roots = {tree.path()}, .filters = {}});
  const std::vector<Item> items = walk(*source);
  ASSERT_EQ(::unlink(tree.at("f").c_str()), 0);
  EXPECT_EQ(source->open(items.back()).error().kind(), Errc::not_found);
  tree.fifo("f");
  EXPECT_FALSE(source->open(items.back()).ok());  // and doesn't wait for a writer
  ASSERT_EQ(::unlink(tree.at("f").c_str()), 0);
  tree.symlink("f", "/etc/passwd");
  EXPECT_FALSE(source->open(items.back()).ok());
}

TEST(FileSource, FindsTheHoles) {
  TempTree tree;
  tree.file("s", "");
  ASSERT_EQ(::truncate(tree.at("s").c_str(), 8 << 20), 0);
  const int fd = ::open(tree.at("s").c_str(), O_WRONLY);
  ASSERT_EQ(::pwrite(fd, "x", 1, 4 << 20), 1);
  ::close(fd);
  const auto source = open_source({.roots = {tree.at("s")}, .filters = {}});
  const auto content = std::move(source->open(walk(*source).back())).value();
  const auto runs = content->data_runs(0, 8 << 20).value();
  ASSERT_EQ(runs.size(), 1u);
  EXPECT_LE(runs[0].first, std::uint64_t{4 << 20});
  EXPECT_GT(runs[0].second, std::uint64_t{4 << 20});
  EXPECT_LT(runs[0].second - runs[0].first, std::uint64_t{1 << 20});
  EXPECT_TRUE(content->data_runs(5 << 20, 8 << 20).value().empty());
}

TEST(FileSource, VeryDeepTreesNeedFewDescriptors) {
  TempTree tree;
  rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit few{200, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  const int here = ::open(".", O_RDONLY | O_DIRECTORY);
  ASSERT_EQ(::chdir(tree.path().c_str()), 0);
  for (int i = 0; i < 400; ++i) {
    ASSERT_EQ(::mkdir("d", 0755), 0);
    ASSERT_EQ(::close(::open("f", O_CREAT | O_WRONLY, 0644)), 0);
    ASSERT_EQ(::chdir("d"), 0);
  }
  ASSERT_EQ(::fchdir(here), 0);
  ::close(here);
  const auto source = open_source({.roots = {tree.path()}, .filters = {}});
  const std::vector<Item> items = walk(*source);
  std::size_t files = 0;
  for (const Item& item : items) {
    if (item.entry.attributes.type != model::FileType::regular) continue;
    ++files;
    EXPECT_EQ(item.problem, "");
  }
  EXPECT_EQ(files, 400u);
  EXPECT_TRUE(source->open(items[items.size() - 400]).ok());
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

TEST(FileSource, WhatCannotBeReadIsAProblemNotAnEnd) {
  TempTree tree;
  tree.directory("", 0755);
  tree.file("closed/f", "x");
  tree.file("locked", "x", 0);
  tree.file("open", "x");
  ASSERT_EQ(::chmod(tree.at("closed").c_str(), 0), 0);
  const auto body = [](const std::string& path) {
    auto source = FileSource::make({.roots = {path}, .filters = {}});
    if (!source.ok()) return 1;
    Item item;
    std::map<std::string, Item> seen;
    while (true) {
      auto more = source.value()->next(item, {});
      if (!more.ok()) return 2;
      if (!more.value()) break;
      seen[item.entry.path] = item;
    }
    const std::string top = path.substr(1);
    if (seen[top + "/closed"].problem.find("Permission denied") == std::string::npos) return 3;
    if (seen.contains(top + "/closed/f")) return 4;
    if (!seen[top + "/locked"].problem.empty()) return 5;
    const auto content = source.value()->open(seen[top + "/locked"]);
    if (content.ok() || content.error().kind() != Errc::denied) return 6;
    if (!source.value()->open(seen[top + "/open"]).ok()) return 7;
    return 0;
  };
  EXPECT_EQ(test::run_unprivileged(body, tree.path()), 0);
}

TEST(Filters, RulesAreOverAbsolutePaths) {
  TempTree tree;
  for (const char* name : {"a/x.o", "a/keep.o", "b/build/out", "b/src/build", "c"}) tree.file(name, "");
  Filters filters;
  filters.rules = rules_of("*.o\n!keep.o\nbuild/\n" + tree.at("c") + "\n");
  EXPECT_EQ(names(tree, {.roots = {tree.path()}, .filters = filters}),
            (Names{"a", "a/keep.o", "b", "b/src", "b/src/build"}));
}

TEST(Filters, RootsAreNeverLeftOut) {
  TempTree tree;
  tree.file("cache/x", "");
  tree.file("cache/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n");
  Filters filters;
  filters.rules = rules_of("cache\n");
  filters.caches = true;
  EXPECT_EQ(names(tree, {.roots = {tree.at("cache")}, .filters = filters}),
            (Names{"cache", "cache/CACHEDIR.TAG", "cache/x"}));
}

TEST(Filters, IgnoreFilesHoldForTheirDirectory) {
  TempTree tree;
  tree.file(".holdfastignore", "*.tmp\n/only-here\n[bad\n");
  tree.file("a/.holdfastignore", "!keep.tmp\nsub/x\n");
  for (const char* name : {"only-here", "x.tmp", "a/only-here", "a/x.tmp", "a/keep.tmp", "a/sub/x", "a/sub/y",
                           "b/keep.tmp", "b/sub/x"}) {
    tree.file(name, "");
  }
  EXPECT_EQ(names(tree, {.roots = {tree.path()}, .filters = {}}),
            (Names{".holdfastignore", "a", "a/.holdfastignore", "a/keep.tmp", "a/only-here", "a/sub",
                   "a/sub/y", "b", "b/sub", "b/sub/x"}));
  Filters none;
  none.ignore_file.clear();
  EXPECT_EQ(names(tree, {.roots = {tree.path()}, .filters = none}).size(), 15u);
}

TEST(Filters, TagsLeaveTheDirectoryAndThemselves) {
  TempTree tree;
  tree.file("true/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n# by a test\n");
  tree.file("true/data", "");
  tree.file("true/sub/data", "");
  tree.file("false/CACHEDIR.TAG", "just a name");
  tree.file("false/data", "");
  tree.file("other/.nobackup", "");
  tree.file("other/data", "");
  tree.file("header/.skip", "yes, please");
  tree.file("header/data", "");
  tree.file("headless/.skip", "no");
  Filters filters;
  filters.caches = true;
  filters.tags = {parse_tag(".nobackup"), parse_tag(".skip:yes")};
  EXPECT_EQ(names(tree, {.roots = {tree.path()}, .filters = filters}),
            (Names{"false", "false/CACHEDIR.TAG", "false/data", "header", "header/.skip", "headless",
                   "headless/.skip", "other", "other/.nobackup", "true", "true/CACHEDIR.TAG"}));
}

TEST(Filters, SizeLimitsAndTheirReasons) {
  TempTree tree;
  tree.file("big", "12345");
  tree.file("small", "1234");
  Filters filters;
  filters.larger_than_bytes = 4;
  std::map<std::string, std::string> reasons;
  filters.on_excluded = [&](std::string_view path, std::string_view reason) {
    reasons[std::string(path)] = reason;
  };
  EXPECT_EQ(names(tree, {.roots = {tree.path()}, .filters = filters}), (Names{"small"}));
  EXPECT_EQ(reasons, (std::map<std::string, std::string>{{tree.entry("big"), "larger than the limit"}}));
}

TEST(Filters, OneFileSystemKeepsMountPointsEmpty) {
  FileOptions options{.roots = {"/"}, .filters = {}};
  options.filters.one_file_system = true;
  options.filters.rules = rules_of("/*\n!/proc\n!/sys\n!/dev\n");
  const auto source = open_source(std::move(options));
  bool proc = false;
  for (const Item& item : walk(*source)) {
    proc = proc || item.entry.path == "proc";
    EXPECT_FALSE(item.entry.path.starts_with("proc/")) << item.entry.path;
  }
  EXPECT_TRUE(proc);
}

}  // namespace
}  // namespace holdfast::source
