#include "model/select.h"

#include <gtest/gtest.h>

namespace holdfast::model {
namespace {

SnapshotFacts facts(std::string id, std::int64_t seconds, std::string host = "ann", TagList tags = {}) {
  SnapshotFacts out;
  out.id = std::move(id);
  out.seconds = seconds;
  out.host = std::move(host);
  out.paths = {"/home", "/etc"};
  out.tags = std::move(tags);
  return out;
}

std::vector<SnapshotFacts> some() {
  std::vector<SnapshotFacts> out = {
      facts("4bba301e00", 30, "ann", {"db", "nightly"}),
      facts("4bba99aa00", 10, "bob"),
      facts("c0ffee1200", 20, "ann", {"db"}),
      facts("4bbb000000", 40, "ann"),
  };
  out.back().checkpoint = true;
  return out;
}

std::string find(std::string_view word, const Filter& filter = {}) {
  const auto snapshots = some();
  auto parsed = parse_snapshot_word(word);
  if (!parsed.ok()) return parsed.error().text();
  auto found = find_snapshot(parsed.value(), snapshots, filter);
  if (found.ok()) return snapshots[found.value()].id;
  return found.error().message() + " (" + holdfast::word(found.error().kind()) + ")";
}

TEST(Select, FindsByPrefixAndAge) {
  EXPECT_EQ(find("c"), "c0ffee1200");
  EXPECT_EQ(find("C0FFEE"), "c0ffee1200");
  EXPECT_EQ(find("4bba3"), "4bba301e00");
  EXPECT_EQ(find("4bba301e00:/home"), "4bba301e00");
  EXPECT_EQ(find("latest"), "4bba301e00");
  EXPECT_EQ(find("latest~0"), "4bba301e00");
  EXPECT_EQ(find("latest~2:/etc"), "4bba99aa00");
  EXPECT_EQ(find("latest", {.hosts = {"bob"}}), "4bba99aa00");
  EXPECT_EQ(find("latest~1", {.tags = {{"db"}}}), "c0ffee1200");
}

TEST(Select, SaysWhatItCannotFind) {
  EXPECT_EQ(find("4b"), "2 snapshots begin with 4b: 4bba301e, 4bba99aa (usage)");
  EXPECT_EQ(find("4bba301e001"), "no snapshot 4bba301e001 (not found)");
  EXPECT_EQ(find("4bbb"), "no snapshot 4bbb (not found)");  // a checkpoint
  EXPECT_EQ(find("latest~3"), "latest~3 is beyond the oldest: 3 snapshots match (not found)");
  EXPECT_EQ(find("latest", {.hosts = {"eve"}}), "no snapshot matches (not found)");
}

TEST(Select, SplitsThePathOff) {
  EXPECT_EQ(parse_snapshot_word("latest:/home/ann/").value().sub_path, "home/ann");
  EXPECT_EQ(parse_snapshot_word("abc:a:b").value().sub_path, "a:b");
  EXPECT_EQ(parse_snapshot_word("abc:/").value().sub_path, "");
  EXPECT_EQ(parse_snapshot_word("abc").value().sub_path, "");
  EXPECT_EQ(parse_snapshot_word("latest~17").value().back, 17U);
}

TEST(Select, RefusesOtherWords) {
  for (const char* word : {"", ":/home", "latest~", "latest~-1", "latest~x", "latest1", "lates", "abg", "12 ",
                           "latest~99999999999"}) {
    auto parsed = parse_snapshot_word(word);
    ASSERT_FALSE(parsed.ok()) << word;
    EXPECT_EQ(parsed.error().kind(), Errc::usage);
  }
}

TEST(Select, FiltersByHostPathAndTag) {
  const auto snapshots = some();
  using Indices = std::vector<std::size_t>;
  EXPECT_EQ(select(snapshots, {}), (Indices{0, 2, 1}));
  EXPECT_EQ(select(snapshots, {.hosts = {"bob", "ann"}}), (Indices{0, 2, 1}));
  EXPECT_EQ(select(snapshots, {.hosts = {"bob"}}), Indices{1});
  EXPECT_EQ(select(snapshots, {.paths = {"/etc", "/home"}}), (Indices{0, 2, 1}));
  EXPECT_EQ(select(snapshots, {.paths = {"/etc", "/var"}}), Indices{});
  EXPECT_EQ(select(snapshots, {.tags = {parse_tag_list("db,nightly")}}), Indices{0});
  EXPECT_EQ(select(snapshots, {.tags = {parse_tag_list("")}}), Indices{1});
  EXPECT_EQ(select(snapshots, {.tags = {parse_tag_list("nightly"), parse_tag_list("")}}), (Indices{0, 1}));
  EXPECT_EQ(select(snapshots, {.hosts = {"bob"}, .tags = {{"db"}}}), Indices{});
}

TEST(Select, BreaksTiesByThePlaceInTheList) {
  const std::vector<SnapshotFacts> twins = {facts("aa", 5), facts("bb", 5)};
  EXPECT_EQ(select(twins, {}), (std::vector<std::size_t>{1, 0}));
}

}  // namespace
}  // namespace holdfast::model
