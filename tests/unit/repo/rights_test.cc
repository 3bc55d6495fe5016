// Roles, slots of recipients, and what this machine remembers of a repository.
#include "repo/rights.h"

#include <filesystem>

#include "tests/unit/repo/world.h"

namespace holdfast::repo {
namespace {

crypto::Key counting_key(std::uint8_t first) {
  Buffer bytes(32, first);
  return crypto::Key(Bytes(bytes));
}

TEST(Roles, HaveTheSecretsThatTheFormatSays) {
  testing::SeededRandom random(1);
  const Secrets all = Secrets::generate(random);
  // Bits are content, index, read, admin, commit, log.
  EXPECT_EQ(rights_of(Role::admin), 0b111111);
  EXPECT_EQ(rights_of(Role::read), 0b000111);
  EXPECT_EQ(rights_of(Role::write), 0b010011);
  EXPECT_EQ(rights_of(Role::maint), 0b100010);
  EXPECT_EQ(rights_of(Role::audit), 0);
  for (const char* role : {"admin", "read", "write", "maint", "audit"}) {
    const Secrets some = narrowed(all, *parse_role(role)).value();
    EXPECT_EQ(some.rights(), rights_of(*parse_role(role)));
    EXPECT_EQ(describe(some.rights()), role);
    EXPECT_EQ(some.admin_public, all.admin_public);
  }
  EXPECT_FALSE(parse_role("root"));
  EXPECT_EQ(describe(0b000010), "index");
}

TEST(Roles, NobodyGivesAwayWhatHeLacks) {
  testing::SeededRandom random(1);
  const Secrets writer = narrowed(Secrets::generate(random), Role::write).value();
  for (const Role role : {Role::admin, Role::read, Role::maint}) {
    EXPECT_EQ(narrowed(writer, role).error().kind(), Errc::denied);
  }
  const auto refused = require(writer, {Right::index, Right::read});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message(),
            "this key lacks the right to read what snapshots hold, which the roles admin and read have");
  EXPECT_EQ(require(writer, {Right::admin}).error().message(),
            "this key lacks the right to manage keys, which the role admin has");
  EXPECT_TRUE(require(writer, {Right::deduplicate, Right::commit}).ok());
}

TEST(RecipientSlots, OpenForTheirSecretKeyOnly) {
  World world;
  const crypto::Key secret = counting_key(7);
  Secrets some = narrowed(world.repository->secrets(), Role::write).value();
  const auto name = world.repository->add_recipient(some, crypto::x25519_public(secret), "host", {});
  ASSERT_TRUE(name.ok());
  const auto opened = Repository::open_as_recipient(world.doors(), secret, {});
  ASSERT_TRUE(opened.ok()) << opened.error().text();
  EXPECT_EQ(opened.value()->key_name(), name.value());
  EXPECT_EQ(opened.value()->secrets().rights(), rights_of(Role::write));
  EXPECT_EQ(Repository::open_as_recipient(world.doors(), counting_key(8), {}).error().kind(),
            Errc::wrong_key);
  EXPECT_TRUE(Repository::open(world.doors(), as_bytes("secret"), {}).ok());
  EXPECT_EQ(Repository::open(world.doors(), as_bytes("other"), {}).error().kind(), Errc::wrong_key);
}

// The label and the rights in the clear are sealed along.
TEST(RecipientSlots, AHeadThatWasAlteredDoesNotOpen) {
  World world;
  const crypto::Key secret = counting_key(7);
  testing::SeededRandom random(4);
  const RepositoryId id{5};
  const Secrets some = narrowed(world.repository->secrets(), Role::write).value();
  for (const bool by_password : {false, true}) {
    const Buffer object =
        by_password ? make_slot(id, "keys/a", some, as_bytes("p"), "l", {1, 0}, {1, 8}, random).value()
                    : make_recipient_slot(id, "keys/a", some, crypto::x25519_public(secret), "l", {1, 0},
                                          *world.repository->secrets().admin, random)
                          .value();
    const Buffer body = unwrap_vital(Vital::key, object, "x").value().body;
    const auto open = [&](const Buffer& altered) {
      const auto slot = decode_slot(wrap_vital(Vital::key, altered), "keys/a");
      if (!slot.ok()) return false;
      return by_password ? open_slot(id, "keys/a", slot.value(), as_bytes("p")).ok()
                         : open_recipient_slot(id, "keys/a", slot.value(), secret).ok();
    };
    ASSERT_TRUE(open(body));
    for (std::size_t at = 1; at < body.size(); ++at) {
      if (by_password && at >= 10 && at < 18) continue;  // the cost: another one may take minutes to refuse
      Buffer altered = body;
      altered[at] ^= 1;
      EXPECT_FALSE(open(altered)) << at;
    }
  }
}

// A store that gives a writer another config, with a read key of its own, is found out.
TEST(Repository, AConfigOfAnotherAdminIsRefused) {
  World world;
  Secrets forger = Secrets::generate(world.random);
  Config config = world.repository->config();
  config.admin = crypto::sign_public(*forger.admin);
  config.read = crypto::x25519_public(*forger.read);
  world.content->objects[kConfigName] = std::make_shared<const Buffer>(encode_config(config, forger));
  const auto opened = Repository::open(world.doors(), as_bytes("secret"), {});
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().kind(), Errc::damaged);
}

TEST(Withdrawal, ByAWriterWithoutTheRightToTheLogDecides) {
  World world;
  const Secrets some = narrowed(world.repository->secrets(), Role::write).value();
  const auto writer = Repository::open_with_secrets(world.doors(), some.copy(), {}).value();
  auto transaction = Transaction::open(*writer, *world.local, {}, {}).value();
  EXPECT_TRUE(world.repository->history({}).value().undecided.contains(transaction->id()));
  ASSERT_TRUE(transaction->withdraw("nothing to store", {}).ok());
  const History history = world.repository->history({}).value();
  EXPECT_TRUE(history.undecided.empty());
  EXPECT_TRUE(history.aborted.contains(transaction->id()));
  EXPECT_TRUE(history.unreadable.empty());
}

// ---- memory of the log

struct Remembering : World {
  Remembering() { repository->remember_in(state.path()); }
  testing::ScratchDir state;
  LogState log;

  void tag(const char* text) { ASSERT_TRUE(append(log, Tag{{1, 1}, {text}}).ok()); }
  model::TransactionId commit() {
    auto transaction = begin();
    const auto done = transaction->commit({}, {}, nullptr, {});
    EXPECT_TRUE(done.ok()) << done.error().text();
    return transaction->id();
  }
  // "" where the history is as it was seen; else what contradicts, which must keep writers away too.
  std::string contradiction() {
    const History readable = repository->readable_history({}).value();
    const auto strict = repository->history({});
    EXPECT_EQ(strict.ok(), readable.contradictions.empty());
    if (!strict.ok()) {
      EXPECT_EQ(strict.error().kind(), Errc::damaged);
      EXPECT_NE(strict.error().hint().find("--accept-history"), std::string::npos);
    }
    if (readable.contradictions.empty()) return "";
    std::string text = readable.contradictions.front();
    const std::string common = "the repository is not what this machine saw before: ";
    if (text.starts_with(common)) text.erase(0, common.size());
    return text;
  }
};

TEST(Memory, AnOlderLogIsNoticedAndAcceptedOnlyKnowingly) {
  Remembering world;
  world.tag("one");
  const auto before = world.content->objects;
  world.tag("two");  // remembered as it is appended
  EXPECT_EQ(world.contradiction(), "");
  world.content->objects = before;
  EXPECT_EQ(world.contradiction(), "log/0000000000000001 was there and is not: the log ends before it");
  EXPECT_NE(world.contradiction(), "");  // looking does not make it good
  ASSERT_TRUE(world.repository->accept(world.repository->readable_history({}).value()).ok());
  EXPECT_EQ(world.contradiction(), "");
}

TEST(Memory, AForkIsNoticedAlsoBehindLaterEntries) {
  Remembering world;
  world.tag("one");
  const auto before = world.content->objects;
  LogState fork = world.log;
  world.tag("two");
  world.content->objects = before;
  const auto other = Repository::open(world.doors(), as_bytes("secret"), {}).value();
  const auto append = [&](const char* text) {
    ASSERT_TRUE(
        other->log().append(fork, Tag{{1, 1}, {text}}, world.repository->now(), world.random, {}).ok());
  };
  append("other");
  EXPECT_EQ(world.contradiction(), "log/0000000000000001 is not the one that was there: the log was forked");
  append("more");
  EXPECT_EQ(world.contradiction(), "log/0000000000000001 is not the one that was there: the log was forked");
}

TEST(Memory, ACommitThatWentOrWasExchangedIsNoticed) {
  Remembering world;
  world.commit();
  const auto before = world.content->objects;
  const std::string fate = transaction_name(world.commit(), "fate");  // remembered as it is committed
  const auto whole = world.content->objects;
  EXPECT_EQ(world.contradiction(), "");
  world.content->objects = before;
  EXPECT_EQ(world.contradiction(), fate + " was there and is not");
  world.content->objects = whole;
  EXPECT_EQ(world.contradiction(), "");
  world.content->objects.erase(fate);
  EXPECT_EQ(world.contradiction(), fate + " was there and is not");
  world.content->objects = whole;
  // Damage is told as such, and is no other history.
  const std::size_t half = world.content->objects.at(fate)->size() / 2;
  world.flip(fate, 20);
  world.flip(fate, half + 20);
  EXPECT_EQ(world.contradiction(), "");
}

TEST(Memory, ThatIsDamagedIsNotTakenForNone) {
  Remembering world;
  world.tag("one");
  std::string file;
  for (const auto& entry : std::filesystem::directory_iterator(world.state.path())) {
    if (entry.path().extension() != ".lock") file = entry.path().string();
  }
  FILE* const out = std::fopen(file.c_str(), "r+");
  ASSERT_NE(out, nullptr);
  std::fputc('x', out);
  std::fclose(out);
  EXPECT_NE(world.contradiction().find("is damaged"), std::string::npos);
  ASSERT_TRUE(world.repository->accept(world.repository->readable_history({}).value()).ok());
  EXPECT_EQ(world.contradiction(), "");
}

TEST(Memory, MovesForwardOnlyWhateverTheOrder) {
  testing::ScratchDir state;
  const Memory memory(state.path() + "/deep/er", RepositoryId{1}, "/here", counting_key(1));
  EXPECT_EQ(memory.recall().value().log_next, 0u);
  ASSERT_TRUE(memory.add({5, Hash{5}, {{1, {4, Hash{4}}}}}).ok());
  ASSERT_TRUE(memory.add({3, Hash{3}, {{1, {2, Hash{2}}}, {2, {9, Hash{9}}}}}).ok());
  const Memory::Seen seen = memory.recall().value();
  EXPECT_EQ(seen.log_next, 5u);
  EXPECT_EQ(seen.log_hash, Hash{5});
  EXPECT_EQ(seen.newest.at(1).sequence, 4u);
  EXPECT_EQ(seen.newest.at(2).hash, Hash{9});
}

}  // namespace
}  // namespace holdfast::repo
