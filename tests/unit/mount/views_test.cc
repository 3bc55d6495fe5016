// The folders above the snapshots: where templates put them, and that names from outside do no harm.
#include "mount/views.h"

#include <gtest/gtest.h>

namespace holdfast::mount {

namespace {

SnapshotPtr snapshot(char id, const std::string& time, std::vector<std::string> paths = {"/home"},
                     std::vector<std::string> tags = {}, const std::string& host = "host") {
  auto made = std::make_shared<Snapshot>();
  made->id = std::string(64, id);
  made->time_name = time;
  made->host = host;
  made->user = "ann";
  made->paths = std::move(paths);
  made->tags = std::move(tags);
  return made;
}

using Names = std::vector<std::string>;

Names names(const Views& views, const std::string& path) {
  const ViewNode* node = views.find(path);
  return node == nullptr ? Names{"(nothing)"} : node->names;
}

}  // namespace

TEST(Views, AreThoseThatPeopleKnow) {
  const Views views({snapshot('a', "T1", {"/home", "/etc"}, {"x", "y"}), snapshot('b', "T2")},
                    default_templates());
  EXPECT_EQ(names(views, ""), (Names{"hosts", "ids", "paths", "snapshots", "tags"}));
  EXPECT_EQ(names(views, "ids"), (Names{"aaaaaaaa", "bbbbbbbb"}));
  EXPECT_EQ(names(views, "snapshots"), (Names{"T1", "T2", "latest"}));
  EXPECT_EQ(names(views, "hosts/host"), (Names{"T1", "T2", "latest"}));
  EXPECT_EQ(names(views, "tags"), (Names{"x", "y"}));
  EXPECT_EQ(names(views, "tags/x"), (Names{"T1", "latest"}));
  EXPECT_EQ(names(views, "paths/home"), (Names{"T1", "T2", "latest"}));
  EXPECT_EQ(names(views, "paths/etc"), (Names{"T1", "latest"}));
  EXPECT_EQ(views.find("snapshots/latest")->target, "T2");
  EXPECT_EQ(views.find("paths/etc/T1")->top, "etc");
  EXPECT_EQ(views.find("ids/bbbbbbbb")->top, "");
  EXPECT_EQ(views.find("ids/bbbbbbbb")->snapshot->time_name, "T2");
}

TEST(Views, WithoutSnapshotsAreEmptyFolders) {
  const Views views({}, default_templates());
  EXPECT_EQ(names(views, ""), (Names{"hosts", "ids", "paths", "snapshots", "tags"}));
  EXPECT_EQ(names(views, "snapshots"), Names());
}

TEST(Views, OneNameForEachSnapshot) {
  const Views views({snapshot('a', "T"), snapshot('b', "T"), snapshot('c', "T")}, {"snapshots/%T"});
  EXPECT_EQ(names(views, "snapshots"), (Names{"T", "T-1", "T-2", "latest"}));
  EXPECT_EQ(views.find("snapshots/T-1")->snapshot->id.front(), 'b');
  EXPECT_EQ(views.find("snapshots/latest")->target, "T-2");
}

TEST(Views, APathThatIsNamedLikeASnapshotStaysAFolder) {
  const Views views({snapshot('a', "T", {"/", "/T/x", "/latest"})}, {"paths/%p/%T"});
  EXPECT_EQ(names(views, "paths"), (Names{"T", "T-1", "latest"}));
  EXPECT_EQ(names(views, "paths/T"), Names{"x"});
  EXPECT_EQ(views.find("paths/latest")->kind, ViewNode::Kind::folder);
  EXPECT_EQ(views.find("paths/T-1")->top, "");
}

TEST(Views, NamesFromOutsideAreMadeSafe) {
  const std::string with_nul("a\0b", 3);
  const Views views(
      {snapshot('a', "T", {"/../../etc"}, {"..", "", "a/b", with_nul, std::string(400, 'n')}, ".")},
      default_templates());
  EXPECT_EQ(names(views, "hosts"), Names{"_."});
  EXPECT_EQ(names(views, "paths"), Names{"_.."});
  const Names tags = names(views, "tags");
  EXPECT_EQ(tags, (Names{"_", "_..", "a_b", std::string(240, 'n')}));
}

TEST(Views, TemplatesAreLookedAt) {
  EXPECT_TRUE(check_template("%u/%h at %T").ok());
  EXPECT_FALSE(check_template("").ok());
  EXPECT_FALSE(check_template("//").ok());
  EXPECT_FALSE(check_template("%x").ok());
  EXPECT_FALSE(check_template("100%").ok());
  const Views views({snapshot('a', "T")}, {"%u/%h at %T"});
  EXPECT_EQ(names(views, "ann"), (Names{"host at T", "latest"}));
}

}  // namespace holdfast::mount
