// The history of a path, and finding over many snapshots, against what a plain reading of every tree says.
#include "flow/path_log.h"

#include "flow/find.h"
#include "repo/pack_format.h"
#include "tests/support/on_memory.h"

namespace holdfast::flow {

namespace {

using testing::BackupWorld;
using testing::entries_of;
using testing::FileSet;
using testing::noise;
using testing::prose;

class History : public testing::OnMemory {
 protected:
  History() {
    files_.directory("home");
    for (int i = 0; i < 3000; ++i) files_.file(fmt::format("home/f{:04}", i), "short", 1);
  }
  void back_up(const std::string& host = "host", std::vector<std::string> paths = {"/home"}) {
    BackupSpec spec = BackupWorld::spec();
    spec.host = host;
    spec.paths = std::move(paths);
    const auto report = world_.backup(files_, spec);
    ASSERT_TRUE(report.ok()) << report.error().text();
  }
  void open() {
    repository_ = std::move(world_.open()).value();
    history_ = std::move(repository_->history({})).value();
    chunks_ = std::make_unique<repo::ChunkReader>(*repository_, history_.log);
  }
  PathLog log(const std::string& path) {
    open();
    auto log = log_path(*chunks_, history_.snapshots(), path, {});
    EXPECT_TRUE(log.ok()) << log.error().text();
    return log.ok() ? std::move(log).value() : PathLog{};
  }
  static std::string story(const PathLog& log) {
    static const char* const kWords[] = {"added", "removed", "content", "metadata", "type"};
    std::string out;
    for (const PathChange& c : log.changes) {
      out += fmt::format("{}{} {}", out.empty() ? "" : ", ", kWords[static_cast<int>(c.change)],
                         c.snapshot->commit.host);
    }
    return out;
  }

  FileSet files_;
  std::unique_ptr<repo::Repository> repository_;
  repo::History history_;
  std::unique_ptr<repo::ChunkReader> chunks_;
};

// But for where the content is stored: a bundle may be stored anew though its members are the same.
bool alike(const model::Entry& a, const model::Entry& b) {
  return a.path == b.path && a.attributes == b.attributes && a.mtime == b.mtime &&
         a.size_bytes == b.size_bytes;
}

}  // namespace

TEST_F(History, TellsWhatHappened) {
  const std::string path = "home/notes";
  back_up();
  files_.file(path, prose(4000, 1), 1);
  back_up();
  files_.file("home/f0100", "other", 2);
  back_up();
  files_.file(path, prose(4000, 2), 2);
  back_up();
  files_.file(path, prose(4000, 2), 3);  // touched
  back_up();
  files_.remove(path);
  back_up();
  files_.file(path, prose(4000, 1), 4);  // as it was at first
  back_up();
  files_.symlink(path, "f0100");
  back_up();
  const PathLog log = this->log(path);
  EXPECT_EQ(story(log), "added host, content host, metadata host, removed host, added host, type host");
  EXPECT_EQ(log.snapshots, 8u);
  EXPECT_EQ(log.present_in, 6u);
  ASSERT_EQ(log.changes.size(), 6u);
  EXPECT_EQ(log.changes[1].mark, log.changes[2].mark);
  EXPECT_NE(log.changes[0].mark, log.changes[1].mark);
  EXPECT_EQ(log.changes[3].entry->size_bytes, 4000u);  // of what went, as it was last
  EXPECT_EQ(log.changes[3].snapshot, history_.snapshots()[5]);
}

TEST_F(History, HostsAreToldApartAndWhatIsNotCoveredIsNotRemoved) {
  files_.file("home/notes", "one", 1);
  back_up("b");
  back_up("a");
  files_.file("home/notes", "two", 2);
  back_up("b");
  const FileSet before = files_;
  files_ = {};
  files_.file("srv/x", "x");
  back_up("a", {"/srv"});
  files_ = {};
  files_.directory("home");
  back_up("a", {"/home/notes/below"});
  const PathLog log = this->log("home/notes");
  EXPECT_EQ(story(log), "added a, removed a, added b, content b");
  EXPECT_EQ(log.snapshots, 4u);
}

TEST_F(History, WhatIsDamagedIsSaid) {
  files_.file("home/notes", "one", 1);
  back_up();
  files_.file("home/notes", "two", 2);
  back_up();
  open();
  const model::PackId tree = history_.snapshots()[1]->commit.roots[0].address.pack;
  const std::string name = repo::pack_name(tree, 0);
  Buffer bytes = *content_->objects.at(name);
  for (std::size_t at = repo::kPackHeaderBytes; at < bytes.size() - repo::kPackTrailerBytes; at += 500)
    bytes[at] ^= 1;
  content_->objects[name] = std::make_shared<const Buffer>(bytes);
  const PathLog log = this->log("home/notes");
  EXPECT_EQ(story(log), "added host");
  EXPECT_EQ(log.unreadable, std::vector<std::string>{history_.snapshots()[1]->id});
}

// Random edits; every path's log against all trees read in full, and so for finding.
TEST_F(History, AgreesWithEveryTreeReadInFull) {
  std::mt19937_64 random(7);
  for (int run = 0; run < 12; ++run) {
    for (int edit = 0; edit < 5; ++edit) {
      const std::string path = fmt::format("home/f{:04}", random() % 3000 / 100 * 100);
      if (random() % 3 == 0 && files_.contains(path)) {
        files_.remove(path);
      } else {
        files_.file(path, prose(10 + random() % 100, random()), static_cast<int>(10 + run));
      }
    }
    back_up();
  }
  open();
  std::vector<std::map<std::string, model::Entry>> trees;
  for (const repo::Snapshot* s : history_.snapshots()) trees.push_back(entries_of(*repository_, *s).value());
  for (int i = 0; i < 3000; i += 50) {
    const std::string path = fmt::format("home/f{:04}", i);
    const PathLog log = this->log(path);
    std::size_t next = 0;
    const model::Entry* last = nullptr;
    for (std::size_t s = 0; s < trees.size(); ++s) {
      const auto at = trees[s].find(path);
      const model::Entry* now = at == trees[s].end() ? nullptr : &at->second;
      const bool differs = (now == nullptr) != (last == nullptr) || (now != nullptr && !alike(*now, *last));
      if (differs) {
        ASSERT_LT(next, log.changes.size()) << path;
        EXPECT_EQ(log.changes[next].snapshot, history_.snapshots()[s]) << path;
        EXPECT_EQ(log.changes[next].change == Change::removed, now == nullptr) << path;
        if (now != nullptr) {
          EXPECT_TRUE(alike(*log.changes[next].entry, *now)) << path;
        }
        ++next;
      }
      last = now;
    }
    EXPECT_EQ(next, log.changes.size()) << path;
  }

  FindSpec spec;
  ASSERT_TRUE(spec.patterns.add("f?[05]00", "PATTERN", {.floating = true}).ok());
  Finder finder(*chunks_, spec);
  for (std::size_t s = 0; s < trees.size(); ++s) {
    std::vector<std::string> expected, got;
    for (const auto& [path, entry] : trees[s]) {
      if (path.ends_with("000") || path.ends_with("500")) expected.push_back(path);
    }
    const auto count = finder.find(history_.snapshots()[s]->commit,
                                   [&](const model::Entry& e) { got.push_back(e.path); }, {});
    ASSERT_TRUE(count.ok());
    EXPECT_EQ(count.value(), got.size());
    EXPECT_EQ(got, expected);
  }
}

TEST_F(History, ASnapshotCostsOnlyWhatItDoesNotShare) {
  for (int run = 0; run < 10; ++run) {
    files_.file("home/f2900", prose(50, static_cast<std::uint64_t>(run)), 10 + run);
    back_up();
  }
  open();
  PathLookup lookup(*chunks_, "home/f0000");
  for (const repo::Snapshot* s : history_.snapshots()) {
    const auto found = lookup.find(s->commit, {});
    ASSERT_TRUE(found.ok());
    EXPECT_NE(found.value(), nullptr);
  }
  EXPECT_EQ(lookup.reads(), 11u);  // ten roots, one leaf
}

TEST_F(History, FindLooksBehindWhatIsLost) {
  back_up();
  const auto first_trees = testing::names(*storage_, "m/");
  for (int i = 0; i < 3000; ++i) {
    if (i < 1000 || i >= 2000) files_.file(fmt::format("home/f{:04}", i), "short", 2);
  }
  back_up();
  for (const std::string& name : first_trees) content_->objects.erase(name);
  open();
  FindSpec spec;
  ASSERT_TRUE(spec.patterns.add("f*", "PATTERN", {.floating = true}).ok());
  const auto* first = history_.snapshots().front();
  const auto* second = history_.snapshots().back();
  const Finder::OnMatch ignore = [](const model::Entry&) {};
  EXPECT_EQ(Finder(*chunks_, spec).find(second->commit, ignore, {}).error().kind(), Errc::damaged);
  Finder finder(*chunks_, spec);
  std::vector<std::string> torn, got;
  finder.on_torn = [&](std::string_view where, const Error&) { torn.emplace_back(where); };
  const Finder::OnMatch on_match = [&](const model::Entry& e) { got.push_back(e.path); };
  std::vector<std::string> torn_at_first;
  for (int again = 0; again < 2; ++again) {
    torn.clear();
    got.clear();
    const std::uint64_t found = finder.find(second->commit, on_match, {}).value();
    ASSERT_EQ(found, got.size());
    EXPECT_EQ(got.front(), "home/f0000");
    EXPECT_EQ(got.back(), "home/f2999");
    EXPECT_EQ(std::find(got.begin(), got.end(), "home/f1500"), got.end());
    ASSERT_FALSE(torn.empty());
    for (const std::string& where : torn) EXPECT_EQ(std::find(got.begin(), got.end(), where), got.end());
    if (again == 0) torn_at_first = torn;
    EXPECT_EQ(torn, torn_at_first);  // also of what was looked into before
  }
  // Nothing matches in what is left: it is told all the same, each time.
  FindSpec other;
  ASSERT_TRUE(other.patterns.add("g*", "PATTERN", {.floating = true}).ok());
  Finder nothing(*chunks_, other);
  std::size_t count = 0;
  nothing.on_torn = [&](std::string_view, const Error&) { ++count; };
  for (int i = 0; i < 2; ++i) EXPECT_EQ(nothing.find(second->commit, ignore, {}).value(), 0u);
  EXPECT_EQ(count, 2 * torn_at_first.size());
  torn.clear();
  EXPECT_EQ(finder.find(first->commit, on_match, {}).value(), 0u);
  EXPECT_EQ(torn, std::vector<std::string>{""});
}

}  // namespace holdfast::flow
