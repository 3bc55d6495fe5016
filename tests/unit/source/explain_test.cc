// What explain says of a path is what a walk does with it; and the reasons it gives.
#include "source/explain.h"

#include <filesystem>

#include "source/files.h"
#include "tests/support/tree_build.h"

namespace holdfast::source {
namespace {

using test::TempTree;

void build(const TempTree& tree) {
  tree.directory("a/build/x");
  tree.directory("a/keep");
  tree.directory("b/cache/inner");
  tree.directory("b/tagged/below");
  tree.file("a/one.o", "1");
  tree.file("a/one.c", "1");
  tree.file("a/build/x/two.c", "1");
  tree.file("a/build/keep.o", "1");
  tree.file("a/keep/three.o", "1");
  tree.file("a/.holdfastignore", "# mine\n*.tmp\n!keep.tmp\n/build/x\n");
  tree.file("a/x.tmp", "1");
  tree.file("a/keep.tmp", "1");
  tree.file("a/keep/deep.tmp", "1");
  tree.file("a/keep/.holdfastignore", "!deep.tmp\n");
  tree.file("b/cache/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n");
  tree.file("b/cache/inner/file", "1");
  tree.file("b/tagged/.nobackup", "");
  tree.file("b/tagged/below/file", "1");
  tree.file("b/large", std::string(5000, 'x'));
  tree.symlink("b/link", "../a");
}

Filters filters() {
  Filters f;
  EXPECT_TRUE(f.rules.add("*.o", "--exclude", {.floating = true}).ok());
  EXPECT_TRUE(f.rules.add("!three.o", "--include", {.floating = true}).ok());
  f.caches = true;
  f.tags = {parse_tag(".nobackup")};
  f.larger_than_bytes = 4000;
  return f;
}

TEST(Explain, AgreesWithTheWalkOnEveryPath) {
  TempTree tree;
  build(tree);
  for (const std::vector<std::string>& roots :
       {std::vector{tree.path()}, std::vector{tree.at("a/keep"), tree.at("b")},
        std::vector{tree.at("b/link")}}) {
    for (const Filters& f : {filters(), Filters{}}) {
      std::set<std::string> walked;
      auto source = std::move(FileSource::make({.roots = roots, .filters = f})).value();
      Item item;
      while (source->next(item, {}).value()) walked.insert(item.entry.path);
      auto examined = std::move(Roots::examine(roots)).value();
      for (const auto& found : std::filesystem::recursive_directory_iterator(tree.path())) {
        const std::string path = found.path().string().substr(1);
        const auto verdict = explain(examined, f, path);
        ASSERT_TRUE(verdict.ok()) << path << ": " << verdict.error().text();
        EXPECT_EQ(verdict.value().included, walked.contains(path)) << path << ": " << verdict.value().reason;
        EXPECT_TRUE(verdict.value().included || !verdict.value().reason.empty()) << path;
      }
    }
  }
}

TEST(Explain, NamesTheRule) {
  TempTree tree;
  build(tree);
  const auto roots = std::move(Roots::examine({tree.path()})).value();
  const auto say = [&](std::string_view name) {
    const auto verdict = explain(roots, filters(), tree.entry(name));
    EXPECT_TRUE(verdict.ok());
    return verdict.value();
  };
  EXPECT_EQ(say("a/one.o").reason, "--exclude: *.o");
  EXPECT_EQ(say("a/keep/three.o").reason, "--include: !three.o");
  EXPECT_EQ(say("a/x.tmp").reason, tree.at("a/.holdfastignore") + ":2: *.tmp");
  EXPECT_EQ(say("a/build/x/two.c").reason, tree.at("a/.holdfastignore") + ":4: /build/x");
  EXPECT_EQ(say("a/build/x/two.c").decided_at, tree.entry("a/build/x"));
  EXPECT_EQ(say("a/keep/deep.tmp").reason, tree.at("a/keep/.holdfastignore") + ":1: !deep.tmp");
  EXPECT_EQ(say("b/cache/inner/file").decided_at, tree.entry("b/cache"));
  EXPECT_EQ(say("b/large").reason, "larger than 4000 bytes");
  EXPECT_EQ(say("a/one.c").reason, "");
  EXPECT_FALSE(say("a/not/there.o").present);
  EXPECT_FALSE(say("a/not/there.o").included);
  EXPECT_TRUE(say("a/not/there.c").included);
  EXPECT_FALSE(say("b/link/one.c").included);  // below a link there is nothing
  EXPECT_EQ(explain(roots, filters(), "elsewhere").value().reason, "below none of the paths to back up");
  EXPECT_TRUE(explain(roots, filters(), "").value().included);
}

}  // namespace
}  // namespace holdfast::source
