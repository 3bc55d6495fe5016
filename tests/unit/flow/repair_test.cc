// repair: what parity or a replica can replace is there again, under the log's own rules, and nothing else
// was touched; what can't be replaced is told to the byte.
#include "flow/repair.h"

#include <cstdlib>

#include "flow/lost.h"
#include "flow/maintain.h"
#include "flow/prune.h"
#include "flow/rebuild_index.h"
#include "repo/pack_reader.h"
#include "tests/support/interposed_storage.h"
#include "tests/support/on_memory.h"

namespace holdfast::flow {

namespace {

using testing::BackupWorld;
using testing::FileSet;
using testing::names;
using testing::noise;
using testing::prose;
using Objects = std::map<std::string, std::shared_ptr<const Buffer>>;

std::shared_ptr<storage::MemoryContent> copy_of(const storage::MemoryContent& content) {
  auto copy = std::make_shared<storage::MemoryContent>();
  copy->objects = content.objects;
  return copy;
}

class Repair : public testing::OnMemory {
 protected:
  Repair() {
    files_.directory("home");
    for (int i = 0; i < 300; ++i)
      files_.file(fmt::format("home/f{:03}", i), prose(300, static_cast<std::uint64_t>(i)));
    files_.file("home/large", noise(2'500'000, 7));
    EXPECT_TRUE(world_.backup(files_).ok());
    files_.file("home/f100", "edited", 2);
    files_.file("home/more", noise(300'000, 9), 2);
    EXPECT_TRUE(world_.backup(files_).ok());
    repository_ = std::move(world_.open()).value();
    good_ = content_->objects;
  }

  // The last snapshot, by another machine.
  void forget_and_prune() {
    const auto repository = world_.open();
    const repo::History history = std::move(repository.value()->history({})).value();
    ASSERT_TRUE(forget(*repository.value(), {history.snapshots().back()->commit.transaction}, {}).ok());
    PruneOptions options;
    options.max_unused_percent = 0;
    const auto done = prune(*repository.value(), options, silent_, {});
    ASSERT_TRUE(done.ok()) << done.error().text();
    EXPECT_GT(done.value().deleted_transactions, 0u);
  }
  std::vector<std::string> packs() {
    std::vector<std::string> out = names(*storage_, "d/");
    for (const std::string& name : names(*storage_, "m/")) out.push_back(name);
    return out;
  }
  void alter(const std::string& name, const std::vector<std::size_t>& at) {
    Buffer bytes = *content_->objects.at(name);
    for (const std::size_t i : at) bytes[i] ^= 0x20;
    content_->objects[name] = std::make_shared<const Buffer>(std::move(bytes));
  }
  // The first frame, and all parity of a pack that has one stripe.
  void lose_first_frame(const std::string& name) {
    const Bytes bytes = *content_->objects.at(name);
    const repo::Trailer trailer = repo::decode_trailer(bytes.last(repo::kPackTrailerBytes)).value().trailer;
    const auto header = repo::decode_header(bytes.first(repo::kPackHeaderBytes)).value();
    ASSERT_EQ(trailer.stripes, 1u);
    std::vector<std::size_t> at{repo::kPackHeaderBytes + 50};
    for (std::uint32_t p = 0; p < trailer.parity_frames(); ++p)
      at.push_back(repo::kPackHeaderBytes + (trailer.frames() + p) * header.identity.frame_bytes());
    alter(name, at);
  }
  RepairReport run(storage::Storage* replica = nullptr) {
    RepairOptions options;
    options.replica = replica;
    auto report = repair(*repository_, options, silent_, {});
    EXPECT_TRUE(report.ok()) << report.error().text();
    return report.ok() ? std::move(report).value() : RepairReport{};
  }
  std::string findings() {
    CheckSpec spec;
    spec.level = CheckLevel::full;
    std::string out;
    const auto repository = world_.open();
    if (!repository.ok()) return repository.error().text();
    const auto report = check(*repository.value(), spec, silent_, {});
    if (!report.ok()) return report.error().text();
    for (const Finding& f : report.value().findings)
      out += fmt::format("{} {}: {}\n", word(f.severity), f.object, f.text);
    return out;
  }
  std::string newest_differs() {
    const auto history = repository_->history({}).value();
    return testing::difference(*repository_, *history.snapshots().back(), files_);
  }
  // Every object of before is there, bit for bit as it was found.
  void expect_only_added(const Objects& before) {
    for (const auto& [name, object] : before) {
      ASSERT_TRUE(content_->objects.contains(name)) << name;
      EXPECT_TRUE(*content_->objects.at(name) == *object) << name;
    }
  }

  FileSet files_;
  std::unique_ptr<repo::Repository> repository_;
  Objects good_;
  SilentObserver silent_;
};

}  // namespace

TEST_F(Repair, AGoodRepositoryIsLeftAlone) {
  const RepairReport report = run();
  EXPECT_EQ(report.plan.packs, packs().size());
  EXPECT_TRUE(report.done.empty());
  EXPECT_TRUE(report.plan.stays.empty());
  EXPECT_EQ(report.exit_code(), 0);
  EXPECT_EQ(content_->objects.size(), good_.size());
}

TEST_F(Repair, WritesAnewWhatParityReaches) {
  const auto damaged = packs();
  for (const std::string& name : damaged) alter(name, {repo::kPackHeaderBytes + 77});
  EXPECT_NE(findings(), "");
  const Objects before = content_->objects;
  const RepairPlan plan = plan_repair(*repository_, {}, silent_, {}).value();
  EXPECT_EQ(plan.steps.size(), damaged.size());
  EXPECT_TRUE(content_->objects == before) << "a plan writes nothing";
  const RepairReport report = run();
  EXPECT_EQ(report.done.size(), damaged.size());
  EXPECT_EQ(report.exit_code(), 0);
  expect_only_added(before);
  EXPECT_EQ(findings(), "");
  EXPECT_EQ(newest_differs(), "");
  EXPECT_TRUE(run().done.empty()) << "once is enough";

  // What was replaced is garbage, and the next prune takes it.
  const auto pruned = prune(*repository_, {}, silent_, {});
  ASSERT_TRUE(pruned.ok()) << pruned.error().text();
  for (const std::string& name : damaged) EXPECT_FALSE(content_->objects.contains(name)) << name;
  EXPECT_EQ(findings(), "");
  EXPECT_EQ(newest_differs(), "");
  // Backups go on referring to what lies in it.
  const auto again = world_.backup(files_);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again.value().data_blobs, 0u);
}

TEST_F(Repair, AnyPartOfAPackIsMadeGood) {
  const std::string name = names(*storage_, "d/").front();
  const std::size_t size = content_->objects.at(name)->size();
  const std::size_t spots[] = {9, size - 9, size - repo::kPackTrailerBytes - 9, size / 2};
  for (const std::size_t at : spots) {
    content_->objects = good_;
    repository_ = std::move(world_.open()).value();
    alter(name, {at});
    const RepairReport report = run();
    EXPECT_EQ(report.done.size(), 1u) << at;
    EXPECT_EQ(findings(), "") << at;
  }
  // And an end that was cut off behind the directory.
  content_->objects = good_;
  repository_ = std::move(world_.open()).value();
  const Buffer& whole = *good_.at(name);
  content_->objects[name] = std::make_shared<const Buffer>(Buffer(whole.begin(), whole.end() - 9000));
  EXPECT_EQ(run().done.size(), 1u);
  EXPECT_EQ(findings(), "");
  EXPECT_EQ(newest_differs(), "");
}

TEST_F(Repair, WhatNobodyCanReplaceStaysAndIsTold) {
  const std::string name = names(*storage_, "d/").back();
  lose_first_frame(name);
  const Objects before = content_->objects;
  const RepairReport report = run();
  EXPECT_TRUE(report.done.empty());
  ASSERT_EQ(report.plan.stays.size(), 1u);
  EXPECT_EQ(report.plan.stays.front().object, name);
  EXPECT_EQ(report.exit_code(), 13);
  expect_only_added(before);
  EXPECT_EQ(content_->objects.size(), before.size() + 1) << "the wanted list, in the log";
}

TEST_F(Repair, APackThatIsGoneComesFromTheReplicaByteForByte) {
  const auto replica = storage::open_memory(copy_of(*content_));
  for (const std::string& name : packs()) {
    content_->objects.erase(name);
    const RepairReport report = run(replica.get());
    ASSERT_EQ(report.done.size(), 1u) << name;
    EXPECT_EQ(report.done.front().action, RepairPlan::Action::fetch);
    EXPECT_TRUE(*content_->objects.at(name) == *good_.at(name));
  }
  EXPECT_EQ(content_->objects.size(), good_.size());
  EXPECT_EQ(findings(), "");
}

TEST_F(Repair, APackBeyondParityIsWrittenAnewFromTheReplica) {
  const auto replica = storage::open_memory(copy_of(*content_));
  lose_first_frame(names(*storage_, "d/").back());
  ruin(names(*storage_, "m/").back());
  const Objects before = content_->objects;
  const RepairReport report = run(replica.get());
  EXPECT_EQ(report.done.size(), 2u);
  EXPECT_EQ(report.exit_code(), 0);
  expect_only_added(before);
  EXPECT_EQ(findings(), "");
  EXPECT_EQ(newest_differs(), "");
}

TEST_F(Repair, SmallObjectsThatAreGoneComeFromTheReplica) {
  const auto replica_content = copy_of(*content_);
  const auto replica = storage::open_memory(replica_content);
  int fetched = 0;
  for (const auto& [name, object] : good_) {
    if (!name.starts_with("t/")) continue;
    content_->objects.erase(name);
    repository_ = std::move(world_.open()).value();
    if (findings().empty()) {  // the last fate of a writer is missed by nobody
      content_->objects[name] = object;
      continue;
    }
    EXPECT_EQ(run(replica.get()).exit_code(), 0) << name;
    ASSERT_TRUE(content_->objects.contains(name)) << name;
    EXPECT_TRUE(*content_->objects.at(name) == *object) << name;
    EXPECT_EQ(findings(), "");
    ++fetched;
  }
  EXPECT_GE(fetched, 5);
}

TEST_F(Repair, SeveralLogEntriesInARowComeFromTheReplica) {
  repo::LogState log;
  ASSERT_TRUE(repository_->log().follow(log, {}).ok());
  const model::TransactionId id = repository_->history({}).value().commits.front().commit.transaction;
  const std::uint64_t first = log.next;
  for (int i = 0; i < 9; ++i) {
    const repo::Tag tag{id, {std::to_string(i)}};
    ASSERT_TRUE(repository_->log().append(log, tag, repository_->now(), repository_->random(), {}).ok());
  }
  const Objects whole = content_->objects;
  const auto replica_content = copy_of(*content_);
  const auto replica = storage::open_memory(replica_content);
  for (std::uint64_t i = 1; i < 8; ++i) content_->objects.erase(repo::log_name(first + i));
  EXPECT_EQ(run(replica.get()).exit_code(), 0);
  expect_only_added(whole);
  EXPECT_EQ(content_->objects.size(), whole.size());
  // One of them altered: the chain to what is here does not hold, and those before it are not believed
  // either.
  for (std::uint64_t i = 1; i < 8; ++i) content_->objects.erase(repo::log_name(first + i));
  Buffer altered = *whole.at(repo::log_name(first + 4));
  for (std::uint8_t& byte : altered) byte ^= 1;
  replica_content->objects[repo::log_name(first + 4)] = std::make_shared<const Buffer>(std::move(altered));
  EXPECT_EQ(run(replica.get()).exit_code(), 13);
  EXPECT_FALSE(content_->objects.contains(repo::log_name(first + 1)));
}

namespace {

// Prunes once the first pack was looked at.
class PruneMeanwhile final : public Observer {
 public:
  explicit PruneMeanwhile(std::function<void()> act) : act_(std::move(act)) {}
  void progress(const Progress&, std::string_view) override {
    if (const auto act = std::exchange(act_, nullptr)) act();
  }
  void problem(std::string_view, std::string_view, const Error&) override {}
  void item(std::string_view, std::string_view, std::uint64_t) override {}
  void note(std::string_view) override {}

 private:
  std::function<void()> act_;
};

}  // namespace

TEST_F(Repair, WhatAPruneMovesMeanwhileIsNotDamaged) {
  files_.remove("home/more");  // so that a pack of the second backup is half dead
  ASSERT_TRUE(world_.backup(files_).ok());
  good_ = content_->objects;
  for (const bool remove : {false, true}) {
    content_->objects = good_;
    repository_ = std::move(world_.open()).value();
    repo::LogState log;
    ASSERT_TRUE(repository_->log().follow(log, {}).ok());
    const auto history = repository_->history({}).value();
    repo::Forget forget;
    for (const repo::Snapshot* snapshot : history.snapshots()) {
      const bool newest = snapshot == history.snapshots().back();
      if (newest == remove) forget.transactions.push_back(snapshot->commit.transaction);
    }
    ASSERT_TRUE(repository_->log().append(log, forget, repository_->now(), repository_->random(), {}).ok());
    const auto before = packs();
    PruneMeanwhile observer([&] {
      PruneOptions everything;
      everything.max_unused_percent = 0;
      EXPECT_TRUE(prune(*repository_, everything, silent_, {}).ok());
    });
    RepairOptions options;
    options.workers = 1;
    const RepairPlan plan = plan_repair(*repository_, options, observer, {}).value();
    EXPECT_NE(packs(), before) << "or this tests nothing";
    EXPECT_TRUE(plan.steps.empty());
    for (const Finding& f : plan.stays) ADD_FAILURE() << f.object << ": " << f.text;
    EXPECT_TRUE(plan.lost.empty());
  }
}

// Another repository's pack, an altered one, an altered small object: none of them is believed.
TEST_F(Repair, AReplicaIsNotTrusted) {
  const std::string pack = names(*storage_, "d/").back();
  const auto other = copy_of(*content_);
  const auto replica = storage::open_memory(other);
  other->objects[pack] = good_.at(names(*storage_, "m/").back());
  content_->objects.erase(pack);
  EXPECT_EQ(run(replica.get()).exit_code(), 13);
  EXPECT_FALSE(content_->objects.contains(pack));
  content_->objects = good_;

  std::string manifest;
  for (const auto& [name, object] : good_) {
    if (name.ends_with("/man")) manifest = name;
  }
  Buffer altered = *good_.at(manifest);
  altered[20] ^= 1;
  other->objects[manifest] = std::make_shared<const Buffer>(altered);
  content_->objects.erase(manifest);
  repository_ = std::move(world_.open()).value();
  const RepairReport report = run(replica.get());
  EXPECT_EQ(report.exit_code(), 13);
  EXPECT_FALSE(report.failed.empty());
  EXPECT_FALSE(content_->objects.contains(manifest));
}

// Whoever maintains the repository, and may not read what is in it, can mend it.
TEST_F(Repair, NeedsNoReadSecret) {
  repo::Secrets maintainer = repository_->secrets().copy();
  maintainer.read.reset();
  maintainer.content.reset();
  maintainer.commit.reset();
  const std::string name = std::string(repo::kKeyPrefix) + std::string(32, 'a');
  const auto slot = repo::make_slot(repository_->config().id, name, maintainer, as_bytes("maintainer"), "",
                                    {}, {.passes = 1, .memory_kib = 8}, world_.random());
  ASSERT_TRUE(storage_->put(name, slot.value(), {}).ok());
  repository_ = std::move(world_.open("maintainer")).value();
  const auto replica = storage::open_memory(copy_of(*content_));
  alter(packs().front(), {repo::kPackHeaderBytes + 77});
  lose_first_frame(packs().back());
  EXPECT_EQ(run(replica.get()).done.size(), 2u);
  EXPECT_EQ(findings(), "");
}

TEST_F(Repair, OneDamagedCopyOfASmallObjectIsSaidAndLeft) {
  std::string manifest;
  for (const auto& [name, object] : good_) {
    if (name.ends_with("/man")) manifest = name;
  }
  alter(manifest, {20});
  const Objects before = content_->objects;
  const RepairReport report = run();
  ASSERT_EQ(report.plan.stays.size(), 1u);
  EXPECT_EQ(report.plan.stays.front().severity, Severity::warning);
  EXPECT_EQ(report.exit_code(), 0);
  EXPECT_TRUE(content_->objects == before);
}

TEST_F(Repair, OnlyPacksThatWereNamed) {
  for (const std::string& name : packs()) alter(name, {repo::kPackHeaderBytes + 77});
  RepairOptions options;
  options.packs = {repo::parse_pack_name(packs().front())->id};
  EXPECT_EQ(repair(*repository_, options, silent_, {}).value().done.size(), 1u);
  options.packs = {{{1, 2}, 4}};
  EXPECT_EQ(repair(*repository_, options, silent_, {}).error().kind(), Errc::not_found);
}

TEST_F(Repair, SaysExactlyWhichBytesStayLost) {
  EXPECT_EQ(find_lost(*repository_, 1, silent_, {}).value().exit_code(), 0);
  const std::string name = names(*storage_, "d/").back();
  const model::PackId pack = repo::parse_pack_name(name)->id;
  alter(name, {repo::kPackHeaderBytes + 50});
  EXPECT_FALSE(find_lost(*repository_, 1, silent_, {}).value().anything()) << "parity has it";
  // What must be told, from addresses and the pack's directory.
  const auto reader = repo::PackReader::open(
      *storage_, {repository_->config().id, nullptr, *repository_->secrets().index}, pack, 0, {});
  const std::size_t payload = reader.value()->header().identity.payload_bytes();
  std::map<std::pair<std::string, std::string>, std::vector<LostRange>> wanted;
  const auto history = repository_->history({}).value();
  for (const repo::Snapshot* snapshot : history.snapshots()) {
    const auto entries = testing::entries_of(*repository_, *snapshot);
    ASSERT_TRUE(entries.ok());
    for (const auto& [path, entry] : entries.value()) {
      std::uint64_t at = 0;
      for (const model::Extent& extent : entry.content) {
        const bool lost = !extent.hole && extent.chunk.pack == pack &&
                          reader.value()->directory()[extent.chunk.slot].offset < payload;
        auto& ranges = wanted[{snapshot->id, path}];
        if (lost && !ranges.empty() && ranges.back().to == at)
          ranges.back().to = at + extent.length;
        else if (lost)
          ranges.push_back({at, at + extent.length});
        at += extent.length;
      }
    }
  }
  std::erase_if(wanted, [](const auto& file) { return file.second.empty(); });
  ASSERT_FALSE(wanted.empty());
  content_->objects = good_;
  lose_first_frame(name);
  const LostReport report = find_lost(*repository_, 1, silent_, {}).value();
  EXPECT_EQ(report.exit_code(), 13);
  EXPECT_EQ(report.files.size(), wanted.size());
  for (const LostFile& file : report.files)
    EXPECT_TRUE((wanted[{file.snapshot, file.path}] == file.ranges)) << file.path;
  EXPECT_TRUE(report.names.empty());
}

// Before whichever read of it a prune removes the younger snapshot.
TEST_F(Repair, WhatWasForgottenAndPrunedMeanwhileIsNotLost) {
  const int stride = std::getenv("HOLDFAST_TEST_LONG") != nullptr ? 1 : 4;
  for (int n = 0, reads = 1; n < reads; n += stride) {
    content_->objects = good_;
    int made = -1;  // reads of find_lost; below 0 while the repository is opened
    const auto between = testing::interpose(storage::open_memory(content_), [&](std::string_view) {
      if (made >= 0 && made++ == n) forget_and_prune();
    });
    repo::Doors doors{*between, world_.clock(), world_.random()};
    const auto repository = repo::Repository::open(doors, as_bytes("secret"), {});
    made = 0;
    const auto report = find_lost(*repository.value(), 1, silent_, {});
    ASSERT_TRUE(report.ok()) << report.error().text();
    EXPECT_EQ(report.value().exit_code(), 0) << "before read " << n;
    EXPECT_TRUE(report.value().damaged_snapshots.empty()) << "before read " << n;
    reads = std::max(reads, made);
  }
}

// Before whichever call of it a prune removes the younger snapshot and its packs; or another repair, by
// another machine, gives every damaged pack its next generation.
TEST_F(Repair, PacksAreMendedBesideAPruneAndAnotherRepair) {
  for (const std::string& name : packs()) alter(name, {repo::kPackHeaderBytes + 77});
  const Objects damaged = content_->objects;
  RepairOptions one;
  one.workers = 1;  // so that calls have an order
  const int stride = std::getenv("HOLDFAST_TEST_LONG") != nullptr ? 1 : 7;
  for (const bool pruned : {true, false}) {
    for (int n = 0, calls = 1; n < calls; n += stride) {
      content_->objects = damaged;
      int made = -1;  // calls of repair
      const auto between = testing::interpose(storage::open_memory(content_), [&](std::string_view) {
        if (made < 0 || made++ != n) return;
        if (pruned) return forget_and_prune();
        EXPECT_TRUE(repair(*std::move(world_.open()).value(), {}, silent_, {}).ok());
      });
      repo::Doors doors{*between, world_.clock(), world_.random()};
      const auto repository = repo::Repository::open(doors, as_bytes("secret"), {});
      made = 0;
      const auto report = repair(*repository.value(), one, silent_, {});
      ASSERT_TRUE(report.ok()) << report.error().text() << " before call " << n;
      EXPECT_EQ(report.value().exit_code(), 0)
          << "before call " << n << (pruned ? ", a prune" : ", a repair");
      for (const Finding& f : report.value().failed) ADD_FAILURE() << f.object << ": " << f.text;
      EXPECT_EQ(report.value().wanted, 0u);
      calls = std::max(calls, made);
    }
  }
}

TEST_F(Repair, WhyThereCanBeNoIndexIsTold) {
  const auto local = repo::LocalState::open("/dev/null/cache", *repository_);
  const auto made = rebuild_index(*repository_, *local, false, silent_, {});
  ASSERT_FALSE(made.ok());
  EXPECT_NE(made.error().text().find("Not a directory"), std::string::npos) << made.error().text();
}

TEST_F(Repair, AnIndexIsMadeAnewBesideAPrune) {
  for (int n = 0, reads = 1; n < reads; ++n) {
    content_->objects = good_;
    int made = -1;  // reads of rebuild_index
    const auto between = testing::interpose(storage::open_memory(content_), [&](std::string_view) {
      if (made >= 0 && made++ == n) forget_and_prune();
    });
    repo::Doors doors{*between, world_.clock(), world_.random()};
    const auto repository = repo::Repository::open(doors, as_bytes("secret"), {});
    const testing::ScratchDir cache;
    const auto local = repo::LocalState::open(cache.path(), *repository.value());
    made = 0;
    const auto report = rebuild_index(*repository.value(), *local, false, silent_, {});
    ASSERT_TRUE(report.ok()) << report.error().text();
    EXPECT_EQ(report.value().unreadable, 0u) << "before read " << n;
    reads = std::max(reads, made);
  }
}

TEST_F(Repair, NamesThatAreLostAreBounded) {
  ruin(names(*storage_, "m/").back());
  const LostReport report = find_lost(*repository_, 1, silent_, {}).value();
  EXPECT_EQ(report.exit_code(), 13);
  EXPECT_FALSE(report.names.empty());
}

TEST_F(Repair, TheIndexIsMadeAnewFromManifests) {
  const auto local = repo::LocalState::open(world_.cache(), *repository_);
  const auto writer = local->last_commit();
  const IndexReport dry = rebuild_index(*repository_, *local, true, silent_, {}).value();
  EXPECT_GT(dry.files_removed, 0u);
  EXPECT_EQ(dry.chunks, 0u);
  const IndexReport made = rebuild_index(*repository_, *local, false, silent_, {}).value();
  EXPECT_EQ(made.transactions, 2u);
  EXPECT_GT(made.chunks, 0u);
  EXPECT_EQ(local->last_commit().sequence, writer.sequence);
  // Large files are found through it; nothing is stored twice but bundles, which it knows by members only.
  files_.file("home/copy", files_.at("home/large").bytes, 3);
  const auto report = world_.backup(files_);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(newest_differs(), "");
  EXPECT_EQ(findings(), "");
}

TEST_F(Repair, DecidesNothingOnTopOfAHistoryThatWasAltered) {
  repository_->remember_in(world_.cache());
  ASSERT_TRUE(repository_->history({}).ok());
  const auto newest = repository_->history({}).value().snapshots().back()->commit.transaction;
  content_->objects.erase(repo::transaction_name(newest, "fate"));  // set back
  alter(packs().front(), {repo::kPackHeaderBytes + 77});
  const Objects before = content_->objects;
  const auto report = repair(*repository_, {}, silent_, {});
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().kind(), Errc::damaged);
  EXPECT_NE(report.error().text().find(repo::transaction_name(newest, "fate")), std::string::npos);
  EXPECT_TRUE(content_->objects == before);
}

TEST_F(Repair, WithoutReferencesEverySnapshotIsLookedThrough) {
  for (const std::string& name : names(*storage_, "t/")) {
    if (name.ends_with("/refs")) ruin(name);
  }
  const std::string kept = findings();
  EXPECT_NE(kept.find("/refs"), std::string::npos) << kept;
  EXPECT_EQ(prune(*repository_, {}, silent_, {}).error().kind(), Errc::damaged);
  LostReport lost = find_lost(*repository_, 0, silent_, {}).value();
  EXPECT_TRUE(lost.files.empty());
  EXPECT_FALSE(lost.unreadable.empty());
  EXPECT_EQ(lost.exit_code(), 13);
  // What is lost is told, though nobody knows whether a snapshot needs the pack.
  for (const std::string& name : names(*storage_, "d/")) ruin(name);
  lost = find_lost(*repository_, 0, silent_, {}).value();
  EXPECT_EQ(lost.files.size(), 301u + 302u);
  EXPECT_EQ(lost.damaged_snapshots.size(), 2u);
}

}  // namespace holdfast::flow
