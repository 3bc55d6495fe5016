// The maintenance log: what its entries add up to, and that a broken chain is never passed over.
#include "tests/unit/repo/world.h"

namespace holdfast::repo {

namespace {

const model::TransactionId kOne{1, 1}, kTwo{2, 1};
const model::PackId kPack{kOne, 0};

model::Slots slots(std::initializer_list<std::uint32_t> list) {
  model::Slots out;
  for (const std::uint32_t slot : list) out.insert(slot);
  return out;
}

LogState condemned_at(std::uint64_t number, model::Slots kept) {
  LogState state;
  state.apply(number, Condemn{{{kPack, std::move(kept)}}});
  return state;
}

Delete deletion(std::uint64_t condemning, std::uint64_t head, model::Slots kept) {
  return {condemning, head, {{{kPack, std::move(kept)}, 1}}};
}

}  // namespace

TEST(LogEntry, EveryTypeRoundTripsAndIsRefusedWhenCut) {
  const Item item{kPack, slots({1, 2, 70})};
  const std::vector<LogEntry> entries{Forget{{kOne, kTwo}},
                                      Unforget{{kTwo}},
                                      Condemn{{item, {{kTwo, kOwnObjects}, {}}}},
                                      Uncondemn{5, {kPack}},
                                      Delete{5, 6, {{item, 3}}},
                                      Tag{kOne, {"a", ""}},
                                      Abandon{kTwo},
                                      Witness{{kOne}},
                                      Lost{{item}},
                                      Found{{item, {{kTwo, 1}, slots({0})}}}};
  for (const LogEntry& entry : entries) {
    const Buffer bytes = encode(entry);
    const auto back = decode_log_entry(bytes);
    ASSERT_TRUE(back.ok()) << entry.index();
    EXPECT_EQ(back.value().index(), entry.index());
    EXPECT_EQ(encode(back.value()), bytes);
    for (std::size_t n = 0; n < bytes.size(); ++n) EXPECT_FALSE(decode_log_entry(Bytes(bytes).first(n)).ok());
  }
  const auto deletes = decode_log_entry(encode(entries[4]));
  const auto& d = std::get<Delete>(deletes.value());
  EXPECT_EQ(d.head, 6u);
  EXPECT_EQ(d.items.at(0).generation, 3u);
  EXPECT_EQ(d.items.at(0).item.kept, item.kept);
  for (const int type : {0, 99, 255})
    EXPECT_FALSE(decode_log_entry(Buffer{static_cast<std::uint8_t>(type), 0}).ok());
}

TEST(LogState, WhatIsCondemnedMayNotBeReferredTo) {
  LogState state = condemned_at(3, slots({1}));
  EXPECT_TRUE(state.usable({kPack, 1}));
  EXPECT_FALSE(state.usable({kPack, 0}));
  EXPECT_TRUE(state.usable({{kOne, 2}, 0}));
  EXPECT_EQ(state.generation(kPack), 0u);  // still there
  state.apply(4, Uncondemn{2, {kPack}});   // of another condemnation
  EXPECT_FALSE(state.usable({kPack, 0}));
  state.apply(5, Uncondemn{3, {kPack}});
  EXPECT_TRUE(state.usable({kPack, 0}));
}

TEST(LogState, WhatIsLostMayNotBeReferredToUntilItIsFound) {
  LogState state;
  state.apply(0, Lost{{{kPack, slots({1, 2})}}});
  EXPECT_FALSE(state.usable({kPack, 1}));
  EXPECT_TRUE(state.usable({kPack, 0}));
  EXPECT_EQ(state.generation(kPack), 0u);  // it says nothing about what is there
  state.apply(1, Found{{{kPack, slots({2, 3})}}});
  EXPECT_FALSE(state.usable({kPack, 1}));
  EXPECT_TRUE(state.usable({kPack, 2}));
  state.apply(2, Found{{{kPack, slots({1})}}});
  EXPECT_TRUE(state.lost.empty());
}

TEST(LogState, ADeleteIsBoundToItsCondemnationItsHeadAndWhatIsKept) {
  const model::Slots kept = slots({1});
  const auto deleted = [&](const Delete& entry, std::uint64_t number) {
    LogState state = condemned_at(3, kept);
    state.apply(number, entry);
    return state.deleted.contains(kPack);
  };
  EXPECT_TRUE(deleted(deletion(3, 4, kept), 5));
  EXPECT_FALSE(deleted(deletion(2, 4, kept), 5));
  EXPECT_FALSE(deleted(deletion(3, 3, kept), 5));
  EXPECT_FALSE(deleted(deletion(3, 5, kept), 5));
  EXPECT_FALSE(deleted(deletion(3, 4, slots({2})), 5));
  EXPECT_FALSE(deleted(deletion(3, 4, {}), 5));
  EXPECT_FALSE(deleted(deletion(3, 4, slots({1, 2})), 5));

  LogState again = condemned_at(3, kept);  // condemned anew: the earlier no longer counts
  again.apply(4, Condemn{{{kPack, kept}}});
  again.apply(6, deletion(3, 5, kept));
  EXPECT_FALSE(again.deleted.contains(kPack));

  LogState lifted = condemned_at(3, kept);
  lifted.apply(4, Uncondemn{3, {kPack}});
  lifted.apply(5, deletion(3, 4, kept));
  EXPECT_FALSE(lifted.deleted.contains(kPack));
}

TEST(LogState, ADeletedPackMovesToTheGenerationThatHoldsTheRest) {
  LogState state = condemned_at(3, slots({1}));
  state.apply(4, deletion(3, 3, slots({1})));
  EXPECT_EQ(state.generation(kPack), 1u);
  EXPECT_TRUE(state.usable({kPack, 1}));
  EXPECT_FALSE(state.usable({kPack, 0}));
  EXPECT_TRUE(state.condemned.empty());
  state.apply(5, Condemn{{{kPack, {}}}});
  state.apply(6, deletion(5, 5, {}));
  EXPECT_EQ(state.generation(kPack), std::nullopt);
  EXPECT_FALSE(state.usable({kPack, 1}));
}

TEST(LogState, ARetiredTransactionIsNothing) {
  const model::PackId own{kOne, kOwnObjects};
  LogState state;
  state.apply(0, Condemn{{{own, {}}}});
  EXPECT_FALSE(state.usable({kPack, 0}));
  EXPECT_FALSE(state.retired(kOne));
  state.apply(1, Delete{0, 0, {{{own, {}}, 0}}});
  EXPECT_TRUE(state.retired(kOne));
  EXPECT_FALSE(state.retired(kTwo));
  EXPECT_FALSE(state.usable({kPack, 0}));
  EXPECT_EQ(state.generation(kPack), std::nullopt);
  EXPECT_TRUE(state.usable({{kTwo, 0}, 0}));
}

TEST(Log, FollowersAgreeAndAppendsRace) {
  World world;
  LogState a, b;
  ASSERT_TRUE(world.append(a, Forget{{kOne}}).ok());
  ASSERT_TRUE(world.append(a, Tag{kOne, {"x"}}).ok());
  const auto late = world.append(b, Forget{{kTwo}});
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().kind(), Errc::conflict);
  EXPECT_EQ(b.next, 0u);
  ASSERT_TRUE(world.repository->log().follow(b, {}).ok());
  EXPECT_EQ(b.next, 2u);
  EXPECT_EQ(b.last_hash, a.last_hash);
  EXPECT_EQ(b.forgotten, a.forgotten);
  ASSERT_TRUE(world.append(b, Unforget{{kOne}}).ok());
  ASSERT_TRUE(world.repository->log().follow(a, {}).ok());
  EXPECT_TRUE(a.forgotten.empty());
}

namespace {

// A repository with a log of four entries.
struct Chain : World {
  Chain() {
    for (std::uint32_t i = 0; i < 4; ++i) EXPECT_TRUE(append(state, Forget{{{9, i}}}).ok());
  }
  LogState state;
};

// Follows twice: what can't be passed the first time can't the second time.
void expect_stuck_at(const World& world, std::uint64_t entry) {
  LogState state;
  for (int times = 0; times < 2; ++times) {
    const auto followed = world.repository->log().follow(state, {});
    ASSERT_FALSE(followed.ok());
    EXPECT_EQ(followed.error().kind(), Errc::damaged);
    EXPECT_EQ(state.next, entry);
    EXPECT_EQ(state.forgotten.size(), entry);
  }
}

}  // namespace

TEST(Log, OneDamagedCopyIsNoDamage) {
  Chain world;
  world.flip(log_name(1), 40);
  LogState state;
  EXPECT_TRUE(world.repository->log().follow(state, {}).ok());
  EXPECT_EQ(state.last_hash, world.state.last_hash);
}

TEST(Log, ADamagedEntryIsNotPassedOver) {
  Chain world;
  const std::size_t half = world.content->objects.at(log_name(2))->size() / 2;
  world.flip(log_name(2), 40);
  world.flip(log_name(2), half + 41);
  expect_stuck_at(world, 2);
}

TEST(Log, AMissingEntryIsNotPassedOver) {
  Chain world;
  world.content->objects.erase(log_name(2));
  expect_stuck_at(world, 2);
}

TEST(Log, AnEntryThatDoesNotFollowTheOneBeforeIsNotPassedOver) {
  // Entry 1 is taken away and another put in its place by somebody who may write to the log.
  Chain world;
  const auto third = world.content->objects.at(log_name(2));
  for (const std::uint64_t n : {1u, 2u, 3u}) world.content->objects.erase(log_name(n));
  LogState state;
  ASSERT_TRUE(world.repository->log().follow(state, {}).ok());
  ASSERT_TRUE(world.append(state, Forget{{kOne}}).ok());
  world.content->objects[log_name(2)] = third;
  expect_stuck_at(world, 2);
}

TEST(Log, AnEntryUnderAnotherNameOrByAnotherIsVoidAndKeepsItsNumber) {
  Chain world;
  world.content->objects[log_name(4)] = world.content->objects.at(log_name(3));
  LogState state;
  ASSERT_TRUE(world.repository->log().follow(state, {}).ok());
  EXPECT_EQ(state.next, 5u);
  EXPECT_EQ(state.void_entries, 1u);
  ASSERT_TRUE(world.append(state, Forget{{kOne}}).ok());  // and the chain goes on over it
  LogState fresh;
  ASSERT_TRUE(world.repository->log().follow(fresh, {}).ok());
  EXPECT_EQ(fresh.forgotten.size(), 5u);
}

}  // namespace holdfast::repo
