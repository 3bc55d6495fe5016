// Directed schedules: the ones by which the model's mutants lose a snapshot, and entries of the log that must
// be void.
#include "flow/maintain.h"
#include "repo/transaction.h"
#include "repo/witness.h"
#include "tests/model/gc_world.h"
#include "tests/support/scratch_dir.h"

namespace holdfast::testing {
namespace {

using model::TransactionId;

constexpr std::size_t kLarge = 150 * 1000;

flow::PruneOptions patient() {
  flow::PruneOptions options = thorough();
  options.abort_open_after_s = 3600;
  return options;
}

class Schedules : public ::testing::Test {
 protected:
  // A machine whose store calls `before` first.
  std::unique_ptr<Machine> interposed(const std::string& cache_path, Interposer before) {
    stores.push_back(interpose(storage::open_memory(world.content), std::move(before)));
    return std::make_unique<Machine>(world, world.open(*stores.back()).value(), cache_path);
  }
  void expect_restores(std::set<std::string> tags) {
    Machine other(world, world.open(), "");
    const auto restored = other.restore_all();
    ASSERT_TRUE(restored.ok()) << restored.error().text();
    std::set<std::string> found;
    for (const auto& [tag, files] : restored.value()) {
      found.insert(tag);
      EXPECT_TRUE(files == contents.at(tag)) << tag;
    }
    EXPECT_EQ(found, tags);
  }
  TransactionId back_up(Machine& machine, const Files& files, const std::string& tag) {
    contents[tag] = files;
    return machine.back_up(files, tag).value().snapshot->commit.transaction;
  }
  std::unique_ptr<repo::Transaction> open(Machine& machine, const model::RunId& run = {}) {
    return repo::Transaction::open(*machine.repository, *machine.local, run, {}).value();
  }

  World world{7};
  ScratchDir cache;
  Machine here{world, world.open(), cache.path()};
  Machine admin{world, world.open(), ""};
  std::vector<std::unique_ptr<storage::Storage>> stores;
  std::map<std::string, Files> contents;
};

// W2: a prune comes and goes right before `open` is put. The log is read after that, so its DELETE is seen.
TEST_F(Schedules, LogIsReadAfterOpen) {
  const Files files{{"a", noise(1, kLarge)}};
  const auto first = back_up(here, files, "one");
  flow::forget(*admin.repository, {first}, {}).value();
  bool done = false;
  const auto late = interposed(cache.path(), [&](std::string_view call) {
    if (done || !call.starts_with("put t/") || !call.ends_with("/open")) return;
    done = true;
    EXPECT_EQ(admin.prune(patient()).value().deleted_transactions, 1u);
  });
  back_up(*late, files, "two");
  EXPECT_TRUE(done);
  expect_restores({"two"});
}

// G4: a prune comes while a backup that has read the log is about to commit. It must wait, and in the end not
// delete.
TEST_F(Schedules, UndecidedAreWaitedFor) {
  const Files files{{"a", noise(1, kLarge)}};
  const auto first = back_up(here, files, "one");
  // Another folder, so that only the index knows the content.
  flow::forget(*admin.repository, {first}, {}).value();
  bool done = false;
  const auto late = interposed(cache.path(), [&](std::string_view call) {
    if (done || !call.starts_with("put t/") || !call.ends_with("/fate")) return;
    done = true;
    EXPECT_EQ(admin.prune(patient()).value().blocked_by.size(), 1u);
  });
  late->machine = "elsewhere";
  back_up(*late, files, "two");
  EXPECT_TRUE(done);
  const auto report = admin.prune(patient()).value();
  EXPECT_GE(report.lifted + report.relocated_packs, 1u);  // it came to be needed
  expect_restores({"two"});
}

// W3: a snapshot that stands condemned is live again, and yet no new backup may build upon it or share with
// it.
TEST_F(Schedules, NothingCondemnedIsReferredTo) {
  for (const bool whole : {true, false}) {
    Files files{{"b", "small"}};
    for (std::uint64_t i = 0; i < 9; ++i) files[fmt::format("a{}", i)] = noise(i + (whole ? 0 : 9), kLarge);
    const auto first = back_up(here, files, "one");
    if (!whole) {  // something of it is needed elsewhere: only packs are condemned
      Machine other(world, world.open(), cache.path());
      other.machine = "elsewhere";
      back_up(other, {{"a3", files["a3"]}}, "some");
    }
    const auto running = open(admin);
    flow::forget(*admin.repository, {first}, {}).value();
    EXPECT_FALSE(admin.prune(patient()).value().blocked_by.empty());
    flow::unforget(*admin.repository, {first}, {}).value();
    const auto second = back_up(here, files, "two");
    const repo::History history = here.repository->history({}).value();
    EXPECT_EQ(history.log.condemned.contains({first, repo::kOwnObjects}), whole);
    const auto references = here.repository->read_references(history.find(second)->commit, {}).value();
    for (const auto& [pack, slots] : references) {
      EXPECT_FALSE(history.log.condemned.contains({pack.transaction, repo::kOwnObjects}));
      const auto condemned = history.log.condemned.find(pack);
      EXPECT_TRUE(condemned == history.log.condemned.end() || condemned->second.kept.contains(slots));
    }
    for (const auto& page : history.find(second)->commit.pages) {
      EXPECT_FALSE(history.log.condemned.contains({page.owner, repo::kOwnObjects}));
    }
    admin.prune(thorough()).value();
    expect_restores(whole ? std::set<std::string>{"one", "two"}
                          : std::set<std::string>{"one", "some", "two"});
    flow::forget(*admin.repository, {first, second}, {}).value();
  }
}

// W5: a sleeper finds its name free again, as the ABORT was removed with everything else.
TEST_F(Schedules, RetiredTransactionsDoNotCount) {
  back_up(here, {{"a", "a"}}, "one");
  const auto sleeper = open(here);
  EXPECT_EQ(admin.prune(thorough()).value().aborted, std::vector{sleeper->id()});
  EXPECT_TRUE(world.names(repo::transaction_name(sleeper->id(), "")).empty());
  const auto late = sleeper->commit({}, {}, nullptr, {});
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().kind(), Errc::conflict);
  EXPECT_FALSE(world.names(repo::transaction_name(sleeper->id(), "fate")).empty());
  EXPECT_EQ(admin.repository->history({}).value().commits.size(), 1u);
  EXPECT_GT(admin.prune(thorough()).value().objects_removed, 0u);
  EXPECT_TRUE(world.names(repo::transaction_name(sleeper->id(), "")).empty());
  expect_restores({"one"});
}

// The ABORT goes between a writer's put and his look at who was first.
TEST_F(Schedules, AnAbortThatIsGoneAgainIsAnAbort) {
  std::optional<TransactionId> id;
  const auto late = interposed("", [&](std::string_view call) {
    if (!id || call != "get " + repo::transaction_name(*id, "fate")) return;
    id.reset();
    admin.prune(thorough()).value();
  });
  const auto transaction = open(*late);
  id = transaction->id();
  repo::abort_transaction(*admin.repository, *id, "test", {}).value();
  const auto lost = transaction->commit({}, {}, nullptr, {});
  EXPECT_FALSE(id.has_value());
  ASSERT_FALSE(lost.ok());
  EXPECT_EQ(lost.error().kind(), Errc::conflict) << lost.error().text();
}

// R2: packs move while a snapshot is read, more than once.
TEST_F(Schedules, ReadersFollowMovedPacks) {
  Files files;
  for (std::uint64_t i = 0; i < 12; ++i) files[fmt::format("f{:02}", i)] = noise(i, kLarge);
  std::vector<TransactionId> doomed{back_up(here, files, "all")};
  Files fewer = files;
  for (const char* name : {"f01", "f03"}) fewer.erase(name);
  doomed.push_back(back_up(here, fewer, "fewer"));
  for (const char* name : {"f05", "f07"}) fewer.erase(name);
  back_up(here, fewer, "few");
  int gets = 0;
  const auto reader = interposed("", [&](std::string_view call) {
    if (doomed.empty() || !call.starts_with("get d/") || ++gets % 4 != 0) return;
    flow::forget(*admin.repository, {doomed.front()}, {}).value();
    doomed.erase(doomed.begin());
    EXPECT_EQ(admin.prune(thorough()).value().relocated_packs, 1u);
  });
  const auto history = reader->repository->history({}).value();
  for (const repo::Snapshot* snapshot : history.snapshots()) {
    if (snapshot->tags.at(0) != "few") continue;
    EXPECT_TRUE(reader->restore(*snapshot, history.log).value() == fewer);
    EXPECT_TRUE(doomed.empty());
    // And by a view of the log from before all that.
    EXPECT_TRUE(reader->restore(*snapshot, history.log).value() == fewer);
  }
}

// A run of two transactions: its checkpoint is dead only because of the commit after it, so that one may not
// go first.
TEST_F(Schedules, OlderCheckpointsOfARunGoFirst) {
  const model::RunId run{1};
  model::Commit commit;
  commit.kind = model::CommitKind::checkpoint;
  const auto first = open(here, run);
  first->commit(commit, {}, nullptr, {}).value();
  repo::Marker marker(*here.repository);
  EXPECT_EQ(marker.mark({}).value().live, std::set{first->id()});
  commit.kind = model::CommitKind::snapshot;
  const auto second = open(here, run);
  second->commit(commit, {}, nullptr, {}).value();
  EXPECT_EQ(marker.mark({}).value().live, std::set{second->id()});
  flow::forget(*admin.repository, {second->id()}, {}).value();
  const repo::Mark mark = marker.mark({}).value();
  EXPECT_TRUE(mark.live.empty());
  EXPECT_TRUE(mark.needs({{second->id(), repo::kOwnObjects}, {}}));
  EXPECT_FALSE(mark.needs({{first->id(), repo::kOwnObjects}, {}}));
  EXPECT_EQ(admin.prune(thorough()).value().deleted_transactions, 2u);
}

// The last of three commits stored nothing: the slots that it needs are the first one's, the page that says
// so is the second one's. Neither those two nor itself may go.
TEST_F(Schedules, PagesAndCommitsAreNeededToo) {
  const auto first = back_up(here, {{"a", noise(1, kLarge)}}, "one");
  const repo::History history = here.repository->history({}).value();
  model::Commit commit = history.find(first)->commit;
  const auto references = here.repository->read_references(commit, {}).value();
  commit.tags = {"two"};
  const repo::Snapshot second = open(here)->commit(commit, references, nullptr, {}).value();
  commit.tags = {"three"};
  const repo::Snapshot third = open(here)->commit(commit, references, &second.commit, {}).value();
  ASSERT_EQ(third.commit.pages.at(0).owner, second.commit.transaction);
  contents["three"] = contents["one"];
  flow::forget(*admin.repository, {first, second.commit.transaction}, {}).value();
  EXPECT_TRUE(flow::plan_prune(*admin.repository, thorough(), {}).value().nothing_to_do());
  admin.prune(thorough()).value();
  expect_restores({"three"});
}

// The second witness: a commit whose reference set lacks what its tree needs.
TEST_F(Schedules, AnUncoveredTreeStopsEverything) {
  const Files files{{"a", noise(1, kLarge)}, {"b", noise(2, kLarge)}};
  const auto first = back_up(here, files, "one");
  const repo::History history = here.repository->history({}).value();
  model::Commit commit = history.find(first)->commit;
  commit.tags = {"two"};
  const auto forged = open(here);
  model::References references = here.repository->read_references(commit, {}).value();
  for (auto& [pack, slots] : references) {
    if (repo::is_metadata(pack.pack)) continue;
    model::Slots fewer;
    fewer.insert(0);
    slots = fewer;
  }
  const repo::Snapshot second = forged->commit(commit, references, nullptr, {}).value();
  flow::forget(*admin.repository, {first}, {}).value();
  const std::size_t before = world.names("").size();
  const auto report = admin.prune(thorough());
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().kind(), Errc::damaged);
  EXPECT_NE(report.error().text().find(second.id.substr(0, 8)), std::string::npos) << report.error().text();
  EXPECT_EQ(world.names("").size(), before);
}

// Who may not read content can prune only what somebody else has walked.
TEST_F(Schedules, WithoutTheReadSecretOnlyWhatIsWitnessed) {
  repo::Secrets maintainer = here.repository->secrets().copy();
  maintainer.read.reset();
  maintainer.content.reset();
  const std::string name = std::string(repo::kKeyPrefix) + std::string(32, 'a');
  const auto slot = repo::make_slot(here.repository->config().id, name, maintainer, as_bytes("maintainer"),
                                    "", {}, {.passes = 1, .memory_kib = 8}, world.random)
                        .value();
  world.plain->put(name, slot, {}).value();
  const auto limited =
      repo::Repository::open({*world.plain, world.clock, world.random}, as_bytes("maintainer"), {}).value();
  const auto first =
      back_up(here, {{"a", noise(1, kLarge)}, {"b", noise(2, kLarge)}, {"c", noise(3, kLarge)}}, "one");
  back_up(here, {{"a", noise(1, kLarge)}}, "two");
  flow::forget(*limited, {first}, {}).value();
  flow::SilentObserver silent;
  const auto refused = flow::prune(*limited, thorough(), silent, {});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind(), Errc::denied);
  admin.prune(thorough()).value();
  const auto third = back_up(here, {{"a", noise(1, kLarge)}, {"d", noise(4, kLarge)}}, "three");
  admin.prune(thorough()).value();
  flow::forget(*limited, {third}, {}).value();
  EXPECT_GE(flow::prune(*limited, thorough(), silent, {}).value().deleted_transactions, 1u);
  expect_restores({"two"});
}

repo::Item item(std::uint32_t pack, std::initializer_list<std::uint32_t> kept) {
  repo::Item out{{{1, 1}, pack}, {}};
  for (const std::uint32_t slot : kept) out.kept.insert(slot);
  return out;
}

TEST(LogState, ADeleteIsBoundToItsCondemnation) {
  repo::LogState log;
  log.apply(0, repo::Condemn{{item(0, {}), item(2, {1})}});
  log.apply(1, repo::Uncondemn{0, {{{1, 1}, 0}}});
  log.apply(2, repo::Condemn{{item(0, {}), item(4, {5})}});
  log.apply(3, repo::Delete{0, 2, {{item(0, {}), 1}}});      // another condemnation is in force
  log.apply(4, repo::Delete{0, 2, {{item(2, {1}), 1}}});     // made for another head
  log.apply(5, repo::Delete{0, 4, {{item(2, {1, 2}), 1}}});  // other slots
  EXPECT_TRUE(log.deleted.empty());
  EXPECT_FALSE(log.usable({{{1, 1}, 0}, 1}));
  EXPECT_FALSE(log.usable({{{1, 1}, 4}, 1}));
  EXPECT_TRUE(log.usable({{{1, 1}, 4}, 5}));
  log.apply(6, repo::Uncondemn{0, {{{1, 1}, 0}}});  // lifts what is no longer in force
  EXPECT_FALSE(log.usable({{{1, 1}, 0}, 1}));
  log.apply(7, repo::Delete{2, 6, {{item(0, {}), 3}, {item(4, {5}), 3}}});
  EXPECT_FALSE(log.generation({{1, 1}, 0}).has_value());
  EXPECT_EQ(log.generation({{1, 1}, 4}), 3u);
  EXPECT_EQ(log.generation({{1, 1}, 2}), 0u);
}

// G9: what is awaited, what is not born yet, and what is present stay, whatever the age of the view.
TEST(Sweep, LeavesWhatMayStillCount) {
  const model::PackId pack{{1, 1}, 0};
  repo::LogState log;
  log.next = 4;
  EXPECT_FALSE(flow::is_garbage(log, pack, 0));
  EXPECT_TRUE(flow::is_garbage(log, pack, 3));   // of a condemnation that is over
  EXPECT_FALSE(flow::is_garbage(log, pack, 5));  // of an entry after this view
  log.apply(4, repo::Condemn{{item(0, {1})}});
  log.next = 5;
  EXPECT_FALSE(flow::is_garbage(log, pack, 5));  // awaited
  EXPECT_FALSE(flow::is_garbage(log, pack, 0));
  log.apply(5, repo::Delete{4, 4, {{item(0, {1}), 5}}});
  log.next = 6;
  EXPECT_FALSE(flow::is_garbage(log, pack, 5));
  EXPECT_TRUE(flow::is_garbage(log, pack, 0));
  log.apply(6, repo::Condemn{{item(repo::kOwnObjects, {})}});
  log.apply(7, repo::Delete{6, 6, {{item(repo::kOwnObjects, {}), 7}}});
  log.next = 8;
  EXPECT_TRUE(flow::is_garbage(log, pack, 5));
  EXPECT_TRUE(flow::is_garbage(log, pack, 99));
}

}  // namespace
}  // namespace holdfast::testing
