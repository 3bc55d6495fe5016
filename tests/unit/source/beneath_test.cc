#include "base/beneath.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "tests/support/tree_build.h"

namespace holdfast {
namespace {

using test::TempTree;

SharedFd open_directory(const std::string& path) {
  return std::make_shared<const Fd>(::open(path.c_str(), O_PATH | O_DIRECTORY));
}

bool same(const SharedFd& a, const std::string& path) {
  struct stat x;
  struct stat y;
  return ::fstat(a->get(), &x) == 0 && ::stat(path.c_str(), &y) == 0 && x.st_ino == y.st_ino;
}

TEST(Beneath, OpensWhatIsBelowAndNothingElse) {
  TempTree tree;
  tree.directory("a/b/c");
  tree.file("a/file", "");
  tree.symlink("a/link", "b");
  tree.symlink("out", "/etc");
  Beneath beneath(open_directory(tree.path()));
  for (int round = 0; round < 2; ++round) {
    EXPECT_TRUE(same(beneath.directory("a/b/c").value(), tree.at("a/b/c")));
    EXPECT_TRUE(same(beneath.directory("").value(), tree.path()));
    for (const char* path : {"a/link", "a/link/c", "out", "a/file", "a/none", "a/none/x"}) {
      EXPECT_EQ(beneath.directory(path).error().kind(), Errc::not_found) << path;
    }
    for (const char* path : {"..", "a/..", "a/../..", "/", "/etc", "a//b", "a/./b"}) {
      EXPECT_EQ(beneath.directory(path).error().kind(), Errc::damaged) << path;
    }
  }
}

TEST(Beneath, FollowsWhereItMay) {
  TempTree tree;
  tree.directory("a/b");
  tree.symlink("way", "a");
  Beneath beneath(open_directory(tree.path()), [](std::string_view path) { return path == "way"; });
  EXPECT_TRUE(same(beneath.directory("way/b").value(), tree.at("a/b")));
}

TEST(Beneath, ForgetsWhatIsReplaced) {
  TempTree tree;
  tree.directory("a/b");
  tree.directory("ab");
  Beneath beneath(open_directory(tree.path()));
  const SharedFd old = beneath.directory("a/b").value();
  const SharedFd other = beneath.directory("ab").value();
  ASSERT_EQ(::rename(tree.at("a").c_str(), tree.at("moved").c_str()), 0);
  EXPECT_EQ(beneath.directory("a/b").value(), old);
  beneath.forget("a");
  EXPECT_FALSE(beneath.directory("a/b").ok());
  EXPECT_EQ(beneath.directory("ab").value(), other);
}

TEST(Beneath, KeepsFewDescriptors) {
  TempTree tree;
  Beneath beneath(open_directory(tree.path()));
  std::vector<std::weak_ptr<const Fd>> given;
  for (int i = 0; i < 200; ++i) {
    const std::string name = "d" + std::to_string(i);
    tree.directory(name);
    given.push_back(beneath.directory(name).value());
  }
  const auto open = std::count_if(given.begin(), given.end(), [](const auto& fd) { return !fd.expired(); });
  EXPECT_GE(open, 16);
  EXPECT_LE(open, 64);
  EXPECT_FALSE(given.back().expired());
}

TEST(PlainPath, KnowsWhatIsOne) {
  for (const char* path : {"a", "a/b", "...", ".a", "a..", " "}) EXPECT_TRUE(is_plain_path(path)) << path;
  for (const char* path : {"", "/", "/a", "a/", "a//b", ".", "..", "a/.", "a/../b"})
    EXPECT_FALSE(is_plain_path(path)) << path;
  EXPECT_FALSE(is_plain_path(std::string_view("a\0b", 3)));
  EXPECT_EQ(leaf_of("a/b/c"), "c");
  EXPECT_EQ(parent_of("a/b/c"), "a/b");
  EXPECT_EQ(leaf_of("a"), "a");
  EXPECT_EQ(parent_of("a"), "");
}

}  // namespace
}  // namespace holdfast
