// What a restore brings back of a damaged repository: all that is not lost, and it removes nothing that it
// can't know to be a stranger.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "flow/restore.h"
#include "tests/damage/damages.h"

namespace holdfast::testing {

namespace {

// Paths that a restore said it could not bring back.
class Blame final : public flow::Observer {
 public:
  void progress(const flow::Progress&, std::string_view) override {}
  void problem(std::string_view path, std::string_view, const Error&) override {
    const std::lock_guard lock(mutex_);
    blamed.emplace(path);
  }
  void item(std::string_view, std::string_view, std::uint64_t) override {}
  void note(std::string_view) override {}
  std::set<std::string> blamed;

 private:
  std::mutex mutex_;  // guards blamed
};

std::optional<std::string> file_at(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  return std::string{std::istreambuf_iterator<char>(in), {}};
}

// The specimen with what is damaged in it.
struct Opened {
  explicit Opened(const Damage& damage) {
    content->objects = specimen().objects;
    for (const auto& [name, bytes] : damage.put) content->objects[name] = bytes;
    repository = std::move(repo::Repository::open({*store, clock, random}, as_bytes("secret"), {})).value();
  }
  std::shared_ptr<storage::MemoryContent> content = std::make_shared<storage::MemoryContent>();
  std::unique_ptr<storage::Storage> store = storage::open_memory(content);
  FakeClock clock;
  SeededRandom random{1};
  std::unique_ptr<repo::Repository> repository;
};

// Restores every snapshot of a damaged repository to a directory and looks at what is there then.
void restore_all(const Damage& damage) {
  SCOPED_TRACE(damage.what);
  const Opened opened(damage);
  const repo::History history = opened.repository->readable_history({}).value();
  const std::set<std::uint32_t> lost = places_of(specimen(), damage.loss);
  for (const repo::Snapshot& snapshot : history.commits) {
    if (!specimen().snapshots.contains(snapshot.id)) continue;
    const ScratchDir target;
    const auto sink = std::move(sink::DirectorySink::make(target.path(), {})).value();
    Blame blame;
    flow::RestoreSpec spec;
    spec.workers = 2;
    const auto report =
        flow::restore(*opened.repository, history.log, snapshot.commit.roots.front(), spec, *sink, blame, {});
    ASSERT_TRUE(report.ok()) << report.error().text();
    const bool any = std::any_of(lost.begin(), lost.end(), [&](std::uint32_t i) {
      return specimen().places[i].snapshot == snapshot.id;
    });
    for (std::uint32_t i = 0; i < specimen().places.size(); ++i) {
      const Specimen::Place& place = specimen().places[i];
      if (place.snapshot != snapshot.id) continue;
      const source::MemoryFile& file = specimen().snapshots.at(place.snapshot).all().at(place.path);
      if (file.item.entry.attributes.type != model::FileType::regular) continue;
      const auto bytes = file_at(target.path() + "/" + place.path);
      if (!lost.contains(i)) {
        EXPECT_TRUE(bytes == file.bytes) << place.path << " was not damaged, and is not there";
      } else {
        EXPECT_FALSE(bytes == file.bytes) << place.path;
      }
    }
    EXPECT_EQ(report.value().problems > 0, any);
    EXPECT_EQ(blame.blamed.empty(), !any);
  }
}

}  // namespace

// Names that are lost with a part of the tree would look like strangers.
TEST(Damage, WithPartsOfTheTreeLostARestoreDeletesNothing) {
  int torn = 0, whole = 0;
  for (const auto& [name, pack] : specimen().packs) {
    const Damage damage = frame_lost(name, 0);
    const Opened opened(damage);
    const repo::History history = opened.repository->history({}).value();
    const std::set<std::uint32_t> lost = places_of(specimen(), damage.loss);
    for (const repo::Snapshot& snapshot : history.commits) {
      if (!specimen().snapshots.contains(snapshot.id)) continue;
      const bool tree_lost = std::any_of(lost.begin(), lost.end(), [&](std::uint32_t i) {
        const Specimen::Place& place = specimen().places[i];
        return place.snapshot == snapshot.id && place.path.starts_with("home/links/");
      });
      const ScratchDir target;
      const std::string stranger = target.path() + "/home/stranger";
      std::filesystem::create_directory(target.path() + "/home");
      std::ofstream(stranger) << "mine";
      const auto sink = std::move(sink::DirectorySink::make(target.path(), {})).value();
      flow::SilentObserver silent;
      flow::RestoreSpec spec;
      spec.delete_others = true;
      ASSERT_TRUE(flow::restore(*opened.repository, history.log, snapshot.commit.roots.front(), spec, *sink,
                                silent, {})
                      .ok());
      EXPECT_EQ(file_at(stranger).has_value(), tree_lost) << name;
      ++(tree_lost ? torn : whole);
    }
  }
  EXPECT_GT(torn, 0);
  EXPECT_GT(whole, 0);
}

TEST(Damage, ARestoreBringsBackAllThatIsNotLost) {
  int states = 0;
  for (const auto& [name, pack] : specimen().packs) {
    for (std::uint32_t i = 0; i < pack.frames(); ++i) {
      restore_all(frame_lost(name, i));
      restore_all(frames_altered(name, {i}, std::nullopt));
      ++states;
    }
  }
  EXPECT_GT(states, 10);
}

}  // namespace holdfast::testing
