// The wanted list (decision 14): what stays lost is told to all in the log, no backup relies on it, the next
// one that meets it stores it again, and repair puts it where it was.
#include "flow/lost.h"
#include "flow/prune.h"
#include "flow/repair.h"
#include "repo/pack_reader.h"
#include "tests/support/on_memory.h"

namespace holdfast::flow {

namespace {

using testing::BackupWorld;
using testing::FileSet;
using testing::names;
using testing::noise;
using testing::prose;
using Objects = std::map<std::string, std::shared_ptr<const Buffer>>;

class Wanted : public testing::OnMemory {
 protected:
  Wanted() {
    files_.directory("home");
    for (int i = 0; i < 40; ++i)
      files_.file(fmt::format("home/f{:03}", i), prose(3000, static_cast<std::uint64_t>(i)));
    files_.file("home/large", noise(2'500'000, 7));
    files_.file("home/other", noise(900'000, 8));
    EXPECT_TRUE(world_.backup(files_).ok());
    repository_ = std::move(world_.open()).value();
  }

  std::string pack(const char* kind) { return names(*storage_, kind).front(); }
  // These frames of a pack that has one stripe, and all its parity.
  void lose_frames(const std::string& name, const std::vector<std::uint32_t>& frames) {
    Buffer bytes = *content_->objects.at(name);
    const repo::Trailer trailer =
        repo::decode_trailer(Bytes(bytes).last(repo::kPackTrailerBytes)).value().trailer;
    const auto header = repo::decode_header(Bytes(bytes).first(repo::kPackHeaderBytes)).value();
    ASSERT_EQ(trailer.stripes, 1u);
    const auto spoil = [&](std::uint32_t frame) {
      const auto at = bytes.begin() + static_cast<std::ptrdiff_t>(repo::kPackHeaderBytes +
                                                                  frame * header.identity.frame_bytes());
      std::fill(at + 40, at + 60, std::uint8_t{0});
    };
    for (const std::uint32_t frame : frames) spoil(frame);
    for (std::uint32_t p = 0; p < trailer.parity_frames(); ++p) spoil(trailer.frames() + p);
    content_->objects[name] = std::make_shared<const Buffer>(std::move(bytes));
  }
  RepairReport run(storage::Storage* replica = nullptr) {
    RepairOptions options;
    options.replica = replica;
    auto report = repair(*repository_, options, silent_, {});
    EXPECT_TRUE(report.ok()) << report.error().text();
    return report.ok() ? std::move(report).value() : RepairReport{};
  }
  BackupReport backup() {
    auto report = world_.backup(files_);
    EXPECT_TRUE(report.ok()) << report.error().text();
    return report.ok() ? std::move(report).value() : BackupReport{};
  }
  repo::LogState log() {
    repo::LogState state;
    EXPECT_TRUE(repository_->log().follow(state, {}).ok());
    return state;
  }
  std::vector<Finding> findings(CheckLevel level = CheckLevel::full) {
    CheckSpec spec;
    spec.level = level;
    auto report = check(*repository_, spec, silent_, {});
    EXPECT_TRUE(report.ok()) << report.error().text();
    return report.ok() ? std::move(report).value().findings : std::vector<Finding>{};
  }
  void expect_clean() {
    for (const Finding& f : findings()) ADD_FAILURE() << f.object << ": " << f.text;
  }
  // Nothing that the last snapshot needs is on the list; and it is what was backed up.
  void expect_newest_whole() {
    const auto history = repository_->history({}).value();
    const repo::Snapshot& newest = *history.snapshots().back();
    EXPECT_EQ(testing::difference(*repository_, newest, files_), "");
    const auto references = repository_->read_references(newest.commit, {}).value();
    for (const auto& [id, slots] : log().lost) {
      const auto at = references.find(id);
      EXPECT_FALSE(at != references.end() && at->second.intersects(slots)) << repo::text(id);
    }
  }
  std::string oldest_differs(const FileSet& files) {
    const auto history = repository_->history({}).value();
    return testing::difference(*repository_, *history.snapshots().front(), files);
  }

  FileSet files_;
  std::unique_ptr<repo::Repository> repository_;
  SilentObserver silent_;
};

}  // namespace

TEST_F(Wanted, IsListedStoredAgainAndFilledIn) {
  const std::string name = pack("d/");
  lose_frames(name, {0, 20});
  const Objects before = content_->objects;
  EXPECT_FALSE(plan_repair(*repository_, {}, silent_, {}).value().lost.empty());
  EXPECT_TRUE(content_->objects == before) << "a plan writes nothing";
  const RepairReport listed = run();
  EXPECT_GT(listed.wanted, 0u);
  EXPECT_EQ(listed.exit_code(), 13);
  EXPECT_EQ(run().wanted, 0u) << "once is enough";

  const BackupReport again = backup();
  EXPECT_GE(again.data_blobs, listed.wanted);
  EXPECT_LT(again.data_added, 2'900'000u) << "what is whole is not stored again";
  expect_newest_whole();
  const RepairPlan plan = plan_repair(*repository_, {}, silent_, {}).value();
  ASSERT_EQ(plan.steps.size(), 1u);
  EXPECT_EQ(plan.steps.front().action, RepairPlan::Action::fill);
  const RepairReport filled = run();
  EXPECT_EQ(filled.done.size(), 1u);
  EXPECT_EQ(filled.found, listed.wanted);
  EXPECT_EQ(filled.exit_code(), 0);
  EXPECT_TRUE(log().lost.empty());
  expect_clean();
  EXPECT_FALSE(find_lost(*repository_, 1, silent_, {}).value().anything());
  EXPECT_EQ(oldest_differs(files_), "");
  EXPECT_TRUE(content_->objects.contains(name)) << "repair removes nothing";

  const auto pruned = prune(*repository_, {}, silent_, {});
  ASSERT_TRUE(pruned.ok()) << pruned.error().text();
  EXPECT_FALSE(content_->objects.contains(name));
  expect_clean();
  EXPECT_EQ(oldest_differs(files_), "");
  EXPECT_EQ(backup().data_blobs, 0u);
}

TEST_F(Wanted, APackThatIsGone) {
  content_->objects.erase(pack("d/"));
  EXPECT_GT(run().wanted, 0u);
  for (const Finding& f : findings()) EXPECT_TRUE(f.wanted) << f.text;
  backup();
  expect_newest_whole();
  const RepairReport filled = run();
  EXPECT_EQ(filled.done.size(), 1u);
  EXPECT_EQ(filled.exit_code(), 0);
  expect_clean();
  EXPECT_EQ(oldest_differs(files_), "");
}

// The tree of an unchanged source would be taken over leaf by leaf.
TEST_F(Wanted, APartOfTheTree) {
  ruin(pack("m/"));
  EXPECT_GT(run().wanted, 0u);
  backup();
  expect_newest_whole();
  run();
  expect_clean();
  EXPECT_EQ(oldest_differs(files_), "");
}

// By content: a machine that has never seen the repository, and another name.
TEST_F(Wanted, DeduplicationDoesNotRelyOnIt) {
  lose_frames(pack("d/"), {20});
  EXPECT_GT(run().wanted, 0u);
  world_.lose_cache();
  FileSet copies;
  copies.directory("home");
  copies.file("home/copy", files_.at("home/large").bytes);
  const auto report = world_.backup(copies);
  ASSERT_TRUE(report.ok());
  EXPECT_GT(report.value().data_blobs, 0u);
  EXPECT_LT(report.value().data_blobs, 5u);
  EXPECT_EQ(run().exit_code(), 0);
  expect_clean();
  EXPECT_EQ(oldest_differs(files_), "");
}

// What the source has no longer stays lost, and wanted; the rest is filled in around it.
TEST_F(Wanted, WhatIsNotMetStaysOnTheList) {
  lose_frames(pack("d/"), {20, 42});
  const FileSet all = files_;
  const std::uint64_t wanted = run().wanted;
  files_.remove("home/large");
  EXPECT_GT(backup().data_blobs, 0u);
  const RepairReport filled = run();
  EXPECT_EQ(filled.done.size(), 1u);
  EXPECT_GT(filled.found, 0u);
  EXPECT_LT(filled.found, wanted);
  EXPECT_EQ(filled.exit_code(), 13);
  EXPECT_FALSE(log().lost.empty());
  const LostReport lost = find_lost(*repository_, 1, silent_, {}).value();
  ASSERT_EQ(lost.files.size(), 1u);
  EXPECT_EQ(lost.files.front().path, "home/large");
  // Known is not new.
  for (const CheckLevel level : {CheckLevel::quick, CheckLevel::structure, CheckLevel::full}) {
    const auto found = findings(level);
    ASSERT_EQ(found.size(), 1u) << static_cast<int>(level);
    EXPECT_TRUE(found.front().wanted);
    EXPECT_EQ(found.front().severity, Severity::damaged);
    EXPECT_EQ(found.front().snapshots.size(), 1u);
  }
  // A prune copies around it too, and damage to the new object is mended.
  const auto pruned = prune(*repository_, {}, silent_, {});
  ASSERT_TRUE(pruned.ok()) << pruned.error().text();
  EXPECT_EQ(pruned.value().problems, 0u);
  EXPECT_EQ(findings().size(), 1u);
  // And it comes back when it is met at last.
  files_ = all;
  backup();
  EXPECT_EQ(run().exit_code(), 0);
  EXPECT_TRUE(log().lost.empty());
  expect_clean();
  EXPECT_EQ(oldest_differs(all), "");
}

TEST_F(Wanted, NewDamageIsToldFromKnown) {
  lose_frames(pack("d/"), {20});
  auto found = findings();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_FALSE(found.front().wanted);
  run();
  found = findings();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_TRUE(found.front().wanted);
  lose_frames(pack("d/"), {42});
  found = findings();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_FALSE(found.front().wanted);
}

TEST_F(Wanted, AReplicaTakesItOffTheList) {
  auto copy = std::make_shared<storage::MemoryContent>();
  copy->objects = content_->objects;
  const auto replica = storage::open_memory(copy);
  lose_frames(pack("d/"), {20});
  const std::uint64_t wanted = run().wanted;
  EXPECT_EQ(run(replica.get()).found, wanted);
  EXPECT_TRUE(log().lost.empty());
  expect_clean();
}

// The disk gives again what it did not give for a while.
TEST_F(Wanted, WhatIsReadableAgainIsTakenOffTheList) {
  const Objects good = content_->objects;
  lose_frames(pack("d/"), {20});
  const std::uint64_t wanted = run().wanted;
  content_->objects[pack("d/")] = good.at(pack("d/"));
  const RepairReport report = run();
  EXPECT_TRUE(report.done.empty());
  EXPECT_EQ(report.found, wanted);
  EXPECT_EQ(report.exit_code(), 0);
  EXPECT_TRUE(log().lost.empty());
}

// Who maintains and may not read lists it; who may read fills it in.
TEST_F(Wanted, FillingInNeedsTheReadSecret) {
  repo::Secrets maintainer = repository_->secrets().copy();
  maintainer.read.reset();
  maintainer.content.reset();
  maintainer.commit.reset();
  const std::string name = std::string(repo::kKeyPrefix) + std::string(32, 'a');
  const auto slot = repo::make_slot(repository_->config().id, name, maintainer, as_bytes("maintainer"), "",
                                    {}, {.passes = 1, .memory_kib = 8}, world_.random());
  ASSERT_TRUE(storage_->put(name, slot.value(), {}).ok());
  lose_frames(pack("d/"), {20});
  auto admin = std::exchange(repository_, std::move(world_.open("maintainer")).value());
  EXPECT_GT(run().wanted, 0u);
  backup();
  EXPECT_EQ(run().exit_code(), 13);
  repository_ = std::move(admin);
  EXPECT_EQ(run().exit_code(), 0);
  expect_clean();
}

// What was stored again is damaged in its turn: nothing is written of it.
TEST_F(Wanted, OnlyWhatHasItsIdIsFilledIn) {
  lose_frames(pack("d/"), {20});
  run();
  const auto old = names(*storage_, "d/");
  backup();
  for (const std::string& name : names(*storage_, "d/")) {
    if (std::find(old.begin(), old.end(), name) == old.end()) lose_frames(name, {0});
  }
  const Objects before = content_->objects;
  const RepairReport report = run();
  EXPECT_TRUE(report.done.empty());
  EXPECT_EQ(report.exit_code(), 13);
  for (const auto& [name, object] : content_->objects)
    EXPECT_TRUE(before.contains(name) || name.starts_with("l")) << name;
}

}  // namespace holdfast::flow
