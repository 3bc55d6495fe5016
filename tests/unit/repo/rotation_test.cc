// Rotation of the read key: who reads what was written before and after, who can't rotate, and what is left
// where it is cut off at any operation on the store.
#include "repo/rotation.h"

#include "base/codec.h"
#include "repo/rights.h"
#include "tests/support/faulty_storage.h"
#include "tests/support/interposed_storage.h"
#include "tests/support/passing_storage.h"
#include "tests/unit/repo/world.h"

namespace holdfast::repo {
namespace {

crypto::Key secret_of(std::uint8_t fill) {
  crypto::Key key;
  std::fill(key.writable().begin(), key.writable().end(), fill);
  return key;
}

using Opened = std::unique_ptr<Repository>;

class Rotation : public ::testing::Test {
 protected:
  Opened admin() { return Repository::open(world_.doors(), as_bytes("secret"), {}).value(); }
  Opened reader() { return Repository::open_as_recipient(world_.doors(), reader_, {}).value(); }
  std::string add_reader() {
    return world_.repository
        ->add_recipient(narrowed(world_.repository->secrets(), Role::read).value(),
                        crypto::x25519_public(reader_), "reader", {})
        .value();
  }
  std::vector<std::string> rotate_now() {
    const Opened by = admin();
    const RotationPlan plan = plan_rotation(*by, {}).value();
    auto made = rotate(*by, plan, {});
    EXPECT_TRUE(made.ok()) << made.error().text();
    return made.ok() ? made.value() : std::vector<std::string>{};
  }
  // A transaction of one small commit.
  model::TransactionId write(const Repository& by) {
    auto transaction = Transaction::open(by, *world_.local, {}, {}).value();
    EXPECT_TRUE(transaction->commit({}, {}, nullptr, {}).ok());
    return transaction->id();
  }
  std::size_t slots() const {
    std::size_t n = 0;
    for (const auto& [name, object] : world_.content->objects) n += name.starts_with(kKeyPrefix) ? 1 : 0;
    return n;
  }

  World world_;
  crypto::Key reader_ = secret_of(7);
};

TEST_F(Rotation, WhatComesAfterOpensForRenewedKeysOnly) {
  add_reader();
  const auto old_admin = admin(), old_reader = reader();
  const auto writer =
      Repository::open_with_secrets(world_.doors(), narrowed(old_admin->secrets(), Role::write).value(), {})
          .value();
  const auto before = write(*writer);
  EXPECT_EQ(rotate_now().size(), 2u);
  EXPECT_EQ(slots(), 2u);
  const auto after = write(*writer);
  EXPECT_EQ(old_reader->read_opening(before, {}).value().place, (KeyPlace{0, 0}));
  EXPECT_EQ(old_reader->read_opening(after, {}).value().place, (KeyPlace{0, 1}));
  for (const Repository* thief : {old_admin.get(), old_reader.get()}) {
    EXPECT_TRUE(thief->session_key(before, {}).ok());
    const auto refused = thief->session_key(after, {});
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().kind(), Errc::denied);
    EXPECT_NE(refused.error().text().find("this key opens only epoch 0"), std::string::npos);
  }
  for (const auto& renewed : {admin(), reader()}) {
    EXPECT_TRUE(renewed->session_key(before, {}).ok());
    EXPECT_TRUE(renewed->session_key(after, {}).ok());
  }
  rotate_now();
  const auto last = write(*admin());
  EXPECT_EQ(reader()->session_key(last, {}).value().place, (KeyPlace{0, 2}));
  EXPECT_TRUE(reader()->session_key(after, {}).ok());
  EXPECT_EQ(reader()->secrets().epoch(), 2u);
}

TEST_F(Rotation, OtherPasswordsAreStaleAndKeysWithoutReadAreLeftAlone) {
  const auto& secrets = world_.repository->secrets();
  const auto other = world_.repository->add_key(secrets, as_bytes("other"), "bob", {1, 8}, {}).value();
  const auto maint =
      world_.repository->add_key(narrowed(secrets, Role::maint).value(), as_bytes("maint"), "m", {1, 8}, {})
          .value();
  const RotationPlan plan = plan_rotation(*world_.repository, {}).value();
  ASSERT_EQ(plan.stale.size(), 1u);
  EXPECT_EQ(plan.stale[0].name, other);
  ASSERT_EQ(plan.renewed.size(), 1u);
  EXPECT_TRUE(plan.left_over.empty());
  rotate_now();
  EXPECT_TRUE(world_.has(other) && world_.has(maint));
  // The stale one could only hand on less than all.
  const auto stale = Repository::open(world_.doors(), as_bytes("other"), {}).value();
  EXPECT_EQ(plan_rotation(*stale, {}).error().kind(), Errc::denied);
  for (const Role role : {Role::maint, Role::write, Role::read}) {
    const auto less = Repository::open_with_secrets(world_.doors(), narrowed(secrets, role).value(), {});
    EXPECT_EQ(plan_rotation(*less.value(), {}).error().kind(), Errc::denied);
  }
}

TEST_F(Rotation, AnEntryThatAdminDidNotSignIsVoid) {
  const crypto::Key own = secret_of(9);
  Secrets forger = world_.repository->secrets().copy();
  forger.admin = secret_of(8);
  LogState log;
  ASSERT_TRUE(world_.repository->log().follow(log, {}).ok());
  const Rotate forged = make_rotate(world_.repository->config(), forger, 1, crypto::x25519_public(own));
  ASSERT_TRUE(world_.append(log, forged).ok());
  EXPECT_EQ(log.epoch(), 0u);
  EXPECT_EQ(log.void_entries, 1u);
  // A signature of admin's for another epoch, key or repository is none.
  Rotate good =
      make_rotate(world_.repository->config(), world_.repository->secrets(), 1, crypto::x25519_public(own));
  EXPECT_TRUE(is_signed(good, world_.repository->config()));
  good.epoch = 2;
  EXPECT_FALSE(is_signed(good, world_.repository->config()));
  good.epoch = 1;
  good.read[0] ^= 1;
  EXPECT_FALSE(is_signed(good, world_.repository->config()));
  good.read[0] ^= 1;
  Config elsewhere = world_.repository->config();
  elsewhere.id[0] ^= 1;
  EXPECT_FALSE(is_signed(good, elsewhere));
  EXPECT_EQ(world_.begin()->log().epoch(), 0u);
  // Epochs follow each other: one that was there, or leaves one out, changes nothing.
  rotate_now();
  ASSERT_TRUE(world_.repository->log().follow(log, {}).ok());
  const auto key = log.read_keys.at(1);
  for (const std::uint32_t epoch : {0u, 1u, 3u}) {
    const Rotate odd = make_rotate(world_.repository->config(), world_.repository->secrets(), epoch,
                                   crypto::x25519_public(own));
    ASSERT_TRUE(world_.append(log, odd).ok());
  }
  EXPECT_EQ(log.epoch(), 1u);
  EXPECT_EQ(log.read_keys.at(1), key);
}

TEST_F(Rotation, OfTwoAtOnceTheLogDecidesAndTheLoserLeavesNothing) {
  add_reader();
  const auto a = admin(), b = admin();
  const RotationPlan first = plan_rotation(*a, {}).value(), second = plan_rotation(*b, {}).value();
  ASSERT_TRUE(rotate(*a, first, {}).ok());
  const auto names = world_.content->objects;
  EXPECT_EQ(rotate(*b, second, {}).error().kind(), Errc::conflict);
  EXPECT_EQ(world_.content->objects, names);
  const auto id = write(*admin());
  EXPECT_TRUE(admin()->session_key(id, {}).ok());
  EXPECT_TRUE(reader()->session_key(id, {}).ok());
}

// The other one comes between; where it finds the slots that the first has made, it takes up their key.
TEST_F(Rotation, OfTwoAtOnceOneKeyComesIntoForceWhicheverIsFaster) {
  add_reader();
  std::uint32_t epoch = 0;
  for (const auto& [at, takes_up] : {std::pair{"put keys/", false}, std::pair{"put log/", true}}) {
    bool faster = false;
    const auto store = testing::interpose(storage::open_memory(world_.content), [&](std::string_view call) {
      if (faster || !call.starts_with(at)) return;
      faster = true;
      rotate_now();
    });
    const auto by = Repository::open({*store, world_.clock, world_.random}, as_bytes("secret"), {}).value();
    const auto rotated = rotate(*by, plan_rotation(*by, {}).value(), {});
    ASSERT_TRUE(faster);
    EXPECT_EQ(rotated.ok(), takes_up);
    EXPECT_TRUE(rotated.ok() || rotated.error().kind() == Errc::conflict);
    EXPECT_EQ(slots(), 2u) << at;
    LogState log;
    ASSERT_TRUE(by->log().follow(log, {}).ok());
    EXPECT_EQ(log.epoch(), ++epoch);
    const auto id = write(*admin());
    EXPECT_TRUE(admin()->session_key(id, {}).ok()) << at;
    EXPECT_TRUE(reader()->session_key(id, {}).ok()) << at;
  }
}

TEST_F(Rotation, NobodyIsLeftBehindBecauseASlotCantBeRead) {
  const std::string slot = add_reader();
  const auto by = admin();
  world_.content->objects[slot] = std::make_shared<const Buffer>(Buffer(100));
  const auto plan = plan_rotation(*by, {});
  ASSERT_FALSE(plan.ok());
  EXPECT_NE(plan.error().text().find(slot), std::string::npos) << plan.error().text();
  ASSERT_TRUE(by->remove_key(slot, {}).ok());
  EXPECT_TRUE(plan_rotation(*by, {}).ok());
}

TEST_F(Rotation, WhoOpensMeanwhileFindsTheKeyThatWasMadeAnew) {
  add_reader();
  int rotations = 0;
  const auto store = testing::interpose(storage::open_memory(world_.content), [&](std::string_view call) {
    if (rotations < 2 && call.starts_with("get keys/")) {
      ++rotations;
      rotate_now();
    }
  });
  const Doors doors{*store, world_.clock, world_.random};
  const auto opened = Repository::open(doors, as_bytes("secret"), {});
  ASSERT_TRUE(opened.ok()) << opened.error().text();
  EXPECT_EQ(rotations, 2);
  const auto wrong = Repository::open(doors, as_bytes("another"), {});
  EXPECT_EQ(wrong.error().kind(), Errc::wrong_key);
}

TEST_F(Rotation, ATransactionIsOpenUnderTheKeyInForceOrNotAtAll) {
  bool rotated = false;
  const auto store = testing::interpose(storage::open_memory(world_.content), [&](std::string_view call) {
    if (rotated || !call.starts_with("put t/")) return;
    rotated = true;
    rotate_now();
  });
  const auto writer = Repository::open({*store, world_.clock, world_.random}, as_bytes("secret"), {}).value();
  const auto transaction = Transaction::open(*writer, *world_.local, {}, {}).value();
  ASSERT_TRUE(rotated);
  EXPECT_EQ(writer->read_opening(transaction->id(), {}).value().place.epoch, 1u);
  const History history = writer->history({}).value();
  EXPECT_EQ(history.aborted.size(), 1u);  // the one that was opened under the old key
  EXPECT_EQ(history.undecided, std::set{transaction->id()});
}

// A key of a rotation that came to nothing opens nothing of its epoch, and is handed on to nobody.
TEST_F(Rotation, AnotherKeyOfAnEpochIsNone) {
  rotate_now();
  const auto id = write(*admin());
  Secrets other = admin()->secrets().copy();
  other.reads.insert_or_assign(1, secret_of(99));
  const auto opened = Repository::open_with_secrets(world_.doors(), std::move(other), {}).value();
  const auto session = opened->session_key(id, {});
  ASSERT_FALSE(session.ok());
  EXPECT_EQ(session.error().kind(), Errc::denied);
  const auto plan = plan_rotation(*opened, {});
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(plan.error().kind(), Errc::denied) << plan.error().text();
}

TEST_F(Rotation, KeysOfEpochsBeyondTheNextAreDropped) {
  Secrets more = world_.repository->secrets().copy();
  more.reads.emplace(1, secret_of(1));
  more.reads.emplace(2, secret_of(2));
  ASSERT_TRUE(world_.repository->add_key(more, as_bytes("more"), "m", {1, 8}, {}).ok());
  const auto by = Repository::open(world_.doors(), as_bytes("more"), {}).value();
  ASSERT_TRUE(rotate(*by, plan_rotation(*by, {}).value(), {}).ok());
  const auto after = Repository::open(world_.doors(), as_bytes("more"), {}).value();
  EXPECT_EQ(after->secrets().epoch(), 1u);
  EXPECT_TRUE(after->session_key(write(*after), {}).ok());
}

TEST_F(Rotation, TwoKeysOfOneRecipientWithDifferentRightsAreBothMadeAnew) {
  add_reader();
  ASSERT_TRUE(world_.repository
                  ->add_recipient(world_.repository->secrets(), crypto::x25519_public(reader_), "all", {})
                  .ok());
  EXPECT_EQ(rotate_now().size(), 3u);
  EXPECT_EQ(slots(), 3u);
}

TEST_F(Rotation, AStoreThatKeepsAnotherSlotAnnouncesNothing) {
  add_reader();
  std::set<std::string> old;
  for (const auto& [name, object] : world_.content->objects) old.insert(name);
  struct Liar : testing::PassingStorage {
    Liar(storage::Storage& inner, const std::set<std::string>& known) : PassingStorage(inner), old(known) {}
    Result<Buffer> get(const std::string& name, storage::ByteRange range, std::stop_token stop) override {
      auto got = PassingStorage::get(name, range, std::move(stop));
      if (got.ok() && name.starts_with(kKeyPrefix) && !old.contains(name)) got.value().back() ^= 1;
      return got;
    }
    const std::set<std::string>& old;
  };
  Liar store(*world_.storage, old);
  const auto by = Repository::open({store, world_.clock, world_.random}, as_bytes("secret"), {}).value();
  EXPECT_FALSE(rotate(*by, plan_rotation(*by, {}).value(), {}).ok());
  LogState log;
  ASSERT_TRUE(world_.repository->log().follow(log, {}).ok());
  EXPECT_EQ(log.epoch(), 0u);
  for (const std::string& name : old) EXPECT_TRUE(world_.has(name)) << name;
}

TEST_F(Rotation, WhoMayNotReadIsGivenNoReadKeyOfAnyEpoch) {
  rotate_now();
  const Secrets secrets = admin()->secrets().copy();
  for (const Role role : {Role::write, Role::maint})
    EXPECT_TRUE(narrowed(secrets, role).value().reads.empty());
}

// What stands in the clear of a slot is sealed along; a slot that says otherwise than it opens is refused.
TEST_F(Rotation, ASlotThatLiesAboutWhatItOpensIsRefused) {
  const Secrets& secrets = world_.repository->secrets();
  const RepositoryId& id = world_.repository->config().id;
  const std::string name = std::string(kKeyPrefix) + std::string(32, 'd');
  const crypto::PublicKey recipient = crypto::x25519_public(reader_);
  const crypto::Key ephemeral = secret_of(5);
  const crypto::PublicKey ephemeral_public = crypto::x25519_public(ephemeral);
  const auto opens = [&](Rights rights, std::uint32_t epoch) {
    Encoder head;
    head.u8(static_cast<std::uint8_t>(SlotKind::recipient));
    head.string("liar");
    encode(head, model::Time{});
    head.u8(rights);
    head.u32(epoch);
    head.raw(recipient);
    head.raw(ephemeral_public);
    Buffer aad = seal_context(id, name);
    append(aad, head.bytes());
    const crypto::Key shared = crypto::x25519(ephemeral, recipient).value();
    const crypto::Key kek =
        crypto::derive_key("holdfast 0 slot recipient", {shared.bytes(), ephemeral_public, recipient});
    head.blob(seal(kek, aad, encode_secrets(secrets), world_.random));
    head.raw(signature_of(*secrets.admin, id, name, head.bytes()));
    const KeySlot slot = decode_slot(wrap_vital(Vital::key, head.bytes()), name).value();
    return open_recipient_slot(id, name, slot, reader_).ok();
  };
  EXPECT_TRUE(opens(kAllRights, 0));
  EXPECT_FALSE(opens(kAllRights, 1));
  EXPECT_FALSE(opens(0x07, 0));
}

// Killed at any operation, or one whose answer got lost: all who could read can, what is written afterwards
// too, and the next rotation clears up.
TEST_F(Rotation, NobodyLosesAccessWhereverItIsCutOff) {
  add_reader();
  const auto before = write(*admin());
  const auto pristine = world_.content->objects;
  bool whole = false;
  for (std::uint64_t n = 1; !whole; ++n) {
    ASSERT_LT(n, 100u);
    for (const bool killed : {true, false}) {
      world_.content->objects = pristine;
      const auto by = admin();
      const RotationPlan plan = plan_rotation(*by, {}).value();
      testing::FaultPlan faults;
      const auto store = testing::faulty(storage::open_memory(world_.content), faults);
      const auto cut =
          Repository::open({*store, world_.clock, world_.random}, as_bytes("secret"), {}).value();
      if (!killed) faults.at(n, testing::StorageFault::lost_after);
      for (std::uint64_t i = n; killed && i < n + 100; ++i) faults.at(i, testing::StorageFault::lost_before);
      whole = rotate(*cut, plan, {}).ok();
      const auto check = [&](const char* when) {
        const auto after = write(*admin());
        for (const auto& opened : {admin(), reader()}) {
          for (const auto& id : {before, after})
            EXPECT_TRUE(opened->session_key(id, {}).ok()) << when << ' ' << n << killed;
        }
      };
      check("after the cut");
      rotate_now();
      check("after another");
      EXPECT_EQ(slots(), 2u) << n << killed;
    }
  }
}

// Slots are sealed to a public key and signed by nobody: whoever may write into the store can put one there.
TEST_F(Rotation, ASlotThatNoAdministratorMadeIsGivenNothing) {
  const crypto::Key thief = secret_of(66);
  Secrets nothing = Secrets::generate(world_.random);  // anything; what counts is the claim in the clear
  nothing.admin_public = world_.repository->config().admin;
  const std::string name = std::string(kKeyPrefix) + std::string(32, 'e');
  const Buffer planted =
      make_recipient_slot(world_.repository->config().id, name, nothing, crypto::x25519_public(thief),
                          "backup-server", {}, *nothing.admin, world_.random)
          .value();
  ASSERT_TRUE(world_.storage->put(name, planted, {}).ok());
  {
    const auto by = admin();
    const auto plan = plan_rotation(*by, {});
    if (plan.ok()) (void)rotate(*by, plan.value(), {}).ok();
  }
  const auto id = write(*admin());
  const auto opened = Repository::open_as_recipient(world_.doors(), thief, {});
  if (!opened.ok()) return;
  EXPECT_FALSE(opened.value()->session_key(id, {}).ok()) << "it reads what was written after the rotation";
  const auto& admin_secret = opened.value()->secrets().admin;
  EXPECT_FALSE(admin_secret &&
               crypto::equal(admin_secret->bytes(), world_.repository->secrets().admin->bytes()))
      << "it was given the administrator's secret";
}

// For a host's public key, which is no secret: with a greater epoch it would stand before the host's own.
TEST_F(Rotation, ASlotThatNoAdministratorMadeOpensForNobody) {
  const std::string own = add_reader();
  Secrets wrong = Secrets::generate(world_.random);
  const crypto::Key other_admin = wrong.admin->copy();
  wrong.admin_public = world_.repository->config().admin;
  wrong.reads.emplace(5, secret_of(5));
  wrong.restrict(world_.repository->keys({}).value().front().slot.rights);
  const std::string name = std::string(kKeyPrefix) + std::string(32, 'e');
  const Buffer planted =
      make_recipient_slot(world_.repository->config().id, name, wrong, crypto::x25519_public(reader_),
                          "reader", {}, other_admin, world_.random)
          .value();
  ASSERT_TRUE(world_.storage->put(name, planted, {}).ok());
  EXPECT_EQ(reader()->key_name(), own);
  ASSERT_TRUE(world_.storage->remove(own, {}).ok());
  const auto opened = Repository::open_as_recipient(world_.doors(), reader_, {});
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().kind(), Errc::damaged);
}

// The slot of somebody who left, removed before the rotation and put back by whoever can write.
TEST_F(Rotation, ASlotThatWasRemovedAndPutBackIsGivenNothing) {
  const std::string slot = add_reader();
  const auto kept = world_.content->objects.at(slot);
  ASSERT_TRUE(admin()->remove_key(slot, {}).ok());
  ASSERT_TRUE(world_.storage->put(slot, *kept, {}).ok());
  {
    const auto by = admin();
    const auto plan = plan_rotation(*by, {});
    if (plan.ok()) (void)rotate(*by, plan.value(), {}).ok();
  }
  const auto id = write(*admin());
  const auto opened = Repository::open_as_recipient(world_.doors(), reader_, {});
  EXPECT_FALSE(opened.ok() && opened.value()->session_key(id, {}).ok());
}

}  // namespace
}  // namespace holdfast::repo
