#include "flow/key_domains.h"

#include <gtest/gtest.h>

#include "flow/maintain.h"
#include "repo/collector.h"
#include "repo/transaction.h"
#include "tests/support/faulty_storage.h"
#include "tests/support/interposed_storage.h"
#include "tests/support/on_memory.h"
#include "tests/support/passing_storage.h"

namespace holdfast::flow {
namespace {

class KeyDomains : public testing::OnMemory {
 protected:
  KeyDomains() {
    repository_ = world_.open().value();
    domain_ = add_domain(*repository_, "ann", false, {}).value().number;
    local_ =
        repo::LocalState::open(world_.cache(), *repository_, repository_->domain_keys(domain_, {}).value());
  }

  Result<repo::Snapshot> commit(repo::Transaction& transaction) {
    model::Commit commit;
    commit.host = "ann-at-home";
    commit.paths = {"/home/ann"};
    commit.tags = {"t"};
    return transaction.commit(commit, {}, nullptr, {});
  }
  std::unique_ptr<repo::Transaction> begin() {
    return repo::Transaction::open(*repository_, *local_, {}, {}).value();
  }
  Result<Erasure> erase(const std::string& confirm = "ann", bool dry_run = false) {
    return erase_domain(*repository_, {"ann", confirm, world_.cache(), dry_run}, {});
  }
  // A process that begins now.
  std::unique_ptr<repo::Repository> anew() { return world_.open().value(); }
  repo::LogState log() {
    repo::LogState state;
    EXPECT_TRUE(repository_->log().follow(state, {}).ok());
    return state;
  }
  bool has(const std::string& name) const { return content_->objects.contains(name); }

  std::unique_ptr<repo::Repository> repository_;
  std::unique_ptr<repo::LocalState> local_;
  model::Domain domain_ = 0;
};

TEST_F(KeyDomains, LabelsAndTagsComeBackAndLieUnderTheDomain) {
  const auto transaction = begin();
  const auto made = commit(*transaction);
  ASSERT_TRUE(made.ok());
  repo::LogState state = log();
  const auto entry = repository_->tag_entry(made.value(), {"wedding"}, {});
  ASSERT_TRUE(entry.ok());
  EXPECT_EQ(entry.value().tags.front().find("wedding"), std::string::npos);
  ASSERT_TRUE(repository_->log().append(state, entry.value(), repository_->now(), world_.random(), {}).ok());
  const auto history = anew()->history({});
  ASSERT_TRUE(history.ok());
  const repo::Snapshot& snapshot = history.value().commits.at(0);
  EXPECT_EQ(snapshot.domain, "ann");
  EXPECT_EQ(snapshot.commit.host, "ann-at-home");
  EXPECT_EQ(snapshot.commit.paths, std::vector<std::string>{"/home/ann"});
  EXPECT_EQ(snapshot.tags, std::vector<std::string>{"wedding"});
  // Without the domain's secret the index secret opens nothing of it.
  content_->objects.erase(repo::domain_name(domain_));
  const auto blind = anew()->history({});
  ASSERT_TRUE(blind.ok());
  EXPECT_TRUE(blind.value().commits.at(0).nameless);
  EXPECT_EQ(blind.value().commits.at(0).commit.host, "");
  EXPECT_EQ(blind.value().nameless.size(), 1u);
}

TEST_F(KeyDomains, SecretsDifferFromThoseOfOtherDomains) {
  const auto bob = add_domain(*repository_, "bob", false, {});
  ASSERT_TRUE(bob.ok());
  const auto other = repository_->domain_keys(bob.value().number, {});
  ASSERT_TRUE(other.ok());
  for (const auto get : {&repo::DomainKeys::content, &repo::DomainKeys::chunk_id,
                         &repo::DomainKeys::member_id, &repo::DomainKeys::bundle, &repo::DomainKeys::tree}) {
    const auto key = [&](const repo::DomainKeys& keys) { return hex((keys.*get)().bytes()); };
    EXPECT_NE(key(*other.value()), key(*local_->keys()));
    EXPECT_NE(key(*repository_->keys()), key(*local_->keys()));
  }
  // What an `open` gives opens nothing by itself, nor with another domain's secret.
  const crypto::Key sealed(Buffer(32, 7));
  const auto session_of = [&](const repo::DomainKeys& keys) { return hex(keys.session(sealed).bytes()); };
  EXPECT_EQ(session_of(*repository_->keys()), hex(sealed.bytes()));
  EXPECT_NE(session_of(*local_->keys()), hex(sealed.bytes()));
  EXPECT_NE(session_of(*local_->keys()), session_of(*other.value()));
  const Buffer aad{1, 2, 3};
  const Buffer label = local_->keys()->seal_label(aad, as_bytes("ann"), world_.random());
  EXPECT_TRUE(local_->keys()->open_label(aad, label).ok());
  EXPECT_FALSE(other.value()->open_label(aad, label).ok());
  const auto transaction = begin();
  ASSERT_TRUE(commit(*transaction).ok());
  const auto session = anew()->session_key(transaction->id(), {});
  ASSERT_TRUE(session.ok());
  EXPECT_EQ(session.value().place.domain, domain_);
}

TEST_F(KeyDomains, AWriterThatWasUnderWayCommitsNothingThatLives) {
  const auto transaction = begin();
  ASSERT_TRUE(erase().ok());
  const auto made = commit(*transaction);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().kind(), Errc::denied);
  EXPECT_NE(made.error().text().find("was erased on"), std::string::npos);
  const auto again = anew();
  const auto history = again->history({});
  ASSERT_TRUE(history.ok());
  ASSERT_EQ(history.value().commits.size(), 1u);
  EXPECT_TRUE(history.value().commits.at(0).erased);
  EXPECT_TRUE(history.value().snapshots().empty());
  const auto mark = repo::Marker(*again).mark({});
  ASSERT_TRUE(mark.ok());
  EXPECT_TRUE(mark.value().live.empty());
  EXPECT_FALSE(unforget(*again, {transaction->id()}, {}).ok());
  EXPECT_FALSE(repo::Transaction::open(*again, *local_, {}, {}).ok());
}

TEST_F(KeyDomains, ErasingIsConfirmedAndCanBeDoneAgain) {
  const auto transaction = begin();
  ASSERT_TRUE(commit(*transaction).ok());
  EXPECT_EQ(erase("an").error().kind(), Errc::guarded);
  EXPECT_EQ(erase("", true).value().snapshots.size(), 1u);
  EXPECT_TRUE(has(repo::domain_name(domain_)));
  EXPECT_FALSE(log().erased(domain_));
  const auto secret = content_->objects.at(repo::domain_name(domain_));
  const auto reader = anew();
  EXPECT_TRUE(reader->session_key(transaction->id(), {}).ok());
  ASSERT_TRUE(erase().ok());
  // Whoever has run for long goes on with it until it looks at the log again.
  ASSERT_TRUE(reader->history({}).ok());
  EXPECT_EQ(reader->session_key(transaction->id(), {}).error().kind(), Errc::denied);
  EXPECT_FALSE(has(repo::domain_name(domain_)));
  EXPECT_TRUE(has(repo::erasure_name(domain_)));
  EXPECT_FALSE(anew()->session_key(transaction->id(), {}).ok());
  // As after a crash in the middle, or where somebody put it back.
  content_->objects[repo::domain_name(domain_)] = secret;
  content_->objects.erase(repo::erasure_name(domain_));
  EXPECT_EQ(destroy_erased(*repository_, log(), {}).value(), 1u);
  EXPECT_FALSE(has(repo::domain_name(domain_)));
  const Buffer notice = *content_->objects.at(repo::erasure_name(domain_));
  EXPECT_TRUE(repo::decode_erasure(repository_->config(), domain_, notice).ok());
  EXPECT_FALSE(repo::decode_erasure(repository_->config(), domain_ + 1, notice).ok());
}

TEST_F(KeyDomains, EntriesThatTheAdministratorDidNotSignAreVoid) {
  repo::LogState state = log();
  const std::uint64_t voids = state.void_entries;
  repo::EraseDomain forged{domain_, repository_->now(), {}};
  repo::sign(forged, repository_->config(), *repository_->secrets().log);  // MAINT has no other
  ASSERT_TRUE(repository_->log().append(state, forged, repository_->now(), world_.random(), {}).ok());
  repo::AddDomain made = state.domains.at(domain_).made;
  made.domain = 9;
  ASSERT_TRUE(repository_->log().append(state, made, repository_->now(), world_.random(), {}).ok());
  EXPECT_FALSE(state.erased(domain_));
  EXPECT_FALSE(state.domains.contains(9));
  EXPECT_EQ(log().void_entries, voids + 2);
}

TEST_F(KeyDomains, NumbersAndNamesAreNotTakenTwice) {
  EXPECT_EQ(add_domain(*repository_, "ann", false, {}).error().kind(), Errc::exists);
  EXPECT_EQ(add_domain(*repository_, "#1", false, {}).error().kind(), Errc::usage);
  // Somebody who may only write has put an object under the next number.
  content_->objects[repo::domain_name(domain_ + 1)] = std::make_shared<const Buffer>(Buffer{1, 2, 3});
  const auto next = add_domain(*repository_, "carl", false, {});
  ASSERT_TRUE(next.ok());
  EXPECT_EQ(next.value().number, domain_ + 2);
  ASSERT_TRUE(erase().ok());
  const auto reused = add_domain(*repository_, "ann", false, {});
  ASSERT_TRUE(reused.ok());
  EXPECT_GT(reused.value().number, next.value().number);
}

TEST_F(KeyDomains, OfTwoOfOneNameAtOnceOneIsMade) {
  EXPECT_EQ(add_domain(*repository_, "ann", false, {}).error().kind(), Errc::exists);
  EXPECT_FALSE(has(repo::domain_name(domain_ + 1))) << "a secret that nobody needs was left";
  bool faster = false;
  const auto store = testing::interpose(storage::open_memory(content_), [&](std::string_view call) {
    if (faster || !call.starts_with("put log/")) return;
    faster = true;
    EXPECT_TRUE(add_domain(*anew(), "bob", false, {}).ok());
  });
  const auto by = repo::Repository::open({*store, world_.clock(), world_.random()}, as_bytes("secret"), {});
  ASSERT_TRUE(by.ok());
  const auto made = add_domain(*by.value(), "bob", false, {});
  ASSERT_TRUE(faster);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().kind(), Errc::exists);
  EXPECT_EQ(list_domains(*anew(), log(), {}).value().size(), 2u);
}

TEST_F(KeyDomains, NamesThatCantBeAreRefused) {
  for (const std::string& name :
       {std::string(), std::string("a\nb"), std::string("a\x7f"), std::string(256, 'x')})
    EXPECT_FALSE(add_domain(*repository_, name, false, {}).ok()) << name;
  EXPECT_TRUE(add_domain(*repository_, std::string(255, 'x'), false, {}).ok());
}

// Who has the log's right appends again what an administrator signed before.
TEST_F(KeyDomains, EntriesThatAreRepeatedChangeNothing) {
  repo::LogState state = log();
  const repo::AddDomain made = state.domains.at(domain_).made;
  ASSERT_TRUE(erase().ok());
  state = log();
  const repo::EraseDomain erased = *state.domains.at(domain_).erased;
  repo::EraseDomain later{domain_, {erased.time.seconds + 1000, 0}, {}};
  repo::sign(later, repository_->config(), *repository_->secrets().admin);
  for (const repo::LogEntry& entry : {repo::LogEntry(later), repo::LogEntry(made)})
    ASSERT_TRUE(repository_->log().append(state, entry, repository_->now(), world_.random(), {}).ok());
  state = log();
  ASSERT_TRUE(state.erased(domain_)) << "it was revived";
  EXPECT_EQ(state.domains.at(domain_).erased->time, erased.time);
  const std::uint64_t next = state.next;
  EXPECT_TRUE(erase_domain(*anew(), {"#1", "", "", false}, {}).ok());
  EXPECT_EQ(log().next, next) << "erased once more";
}

TEST_F(KeyDomains, AStoreThatKeepsAnotherSecretMakesNoDomain) {
  struct Liar : testing::PassingStorage {
    using PassingStorage::PassingStorage;
    Result<Buffer> get(const std::string& name, storage::ByteRange range, std::stop_token stop) override {
      auto got = PassingStorage::get(name, range, std::move(stop));
      if (got.ok() && name.starts_with(repo::kDomainPrefix)) got.value().back() ^= 1;
      return got;
    }
  };
  Liar store(*storage_);
  const auto by = repo::Repository::open({store, world_.clock(), world_.random()}, as_bytes("secret"), {});
  ASSERT_TRUE(by.ok());
  EXPECT_FALSE(add_domain(*by.value(), "bob", false, {}).ok());
  EXPECT_EQ(log().domains.size(), 1u);
}

TEST_F(KeyDomains, NothingBeginsInAnErasedDomainThoughItsSecretIsThere) {
  const auto secret = content_->objects.at(repo::domain_name(domain_));
  ASSERT_TRUE(erase().ok());
  content_->objects[repo::domain_name(domain_)] = secret;
  const auto named = domain_named(*anew(), "#1", {});
  ASSERT_FALSE(named.ok());
  EXPECT_EQ(named.error().kind(), Errc::denied);
  EXPECT_FALSE(repo::Transaction::rehearse(*anew(), *local_, {}).ok());
}

// What one domain remembers on this machine can be no other's parent: not the place, the name nor the key.
TEST_F(KeyDomains, WhatIsRememberedLocallyIsOfOneDomain) {
  const auto plain = repo::LocalState::open(world_.cache(), *repository_);
  EXPECT_NE(plain->directory(), local_->directory());
  EXPECT_NE(hex(plain->key().bytes()), hex(local_->key().bytes()));
  const auto file = [](const repo::LocalState& local) {
    const std::string path = local.series_file("host", {"/home"});
    return path.substr(path.rfind('/'));
  };
  EXPECT_NE(file(*plain), file(*local_));
}

// A put that the network sent twice answers that the name is taken, by the object itself.
TEST_F(KeyDomains, NoOtherObjectHoldsASecretThatIsErased) {
  const auto pristine = content_->objects;
  bool whole = false;
  for (std::uint64_t n = 1; !whole && n < 20; ++n) {
    content_->objects = pristine;
    testing::FaultPlan faults;
    const auto store = testing::faulty(storage::open_memory(content_), faults);
    const auto by = repo::Repository::open({*store, world_.clock(), world_.random()}, as_bytes("secret"), {});
    ASSERT_TRUE(by.ok());
    faults.clear();
    const std::uint64_t before = faults.operations();
    faults.at(n, testing::StorageFault::duplicated);
    const auto made = add_domain(*by.value(), "bob", false, {});
    whole = faults.operations() - before < n;
    EXPECT_TRUE(made.ok()) << n << ": " << made.error().text();
    const auto domains = list_domains(*anew(), log(), {});
    ASSERT_TRUE(domains.ok());
    const auto bob = find_domain(domains.value(), "bob");
    if (!bob.ok()) continue;
    const model::Domain number = bob.value().number;
    const repo::Config& config = repository_->config();
    const crypto::Key& index = *repository_->secrets().index;
    const auto secret_in = [&](model::Domain at) {
      return hex(repo::decode_domain_secret(config, index, at, *content_->objects.at(repo::domain_name(at)))
                     .value()
                     .bytes());
    };
    const std::string secret = secret_in(number);
    ASSERT_TRUE(erase_domain(*anew(), {"bob", "bob", "", false}, {}).ok());
    for (const std::string& name : testing::names(*storage_, repo::kDomainPrefix)) {
      const auto object = repo::parse_domain_name(name);
      if (!object || object->erasure) continue;
      EXPECT_NE(secret_in(object->domain), secret) << n << ": " << name << " still holds what was erased";
    }
  }
  EXPECT_TRUE(whole);
}

TEST_F(KeyDomains, ASecretThatCantBeRemovedKeepsNoOtherFromBeingDestroyed) {
  ASSERT_TRUE(add_domain(*repository_, "bob", false, {}).ok());
  testing::LockingStorage store(*storage_, repo::domain_name(domain_));
  const auto by = repo::Repository::open({store, world_.clock(), world_.random()}, as_bytes("secret"), {});
  ASSERT_TRUE(by.ok());
  EXPECT_FALSE(erase_domain(*by.value(), {"ann", "ann", world_.cache(), false}, {}).ok());
  EXPECT_TRUE(has(repo::domain_name(domain_)));
  (void)erase_domain(*by.value(), {"bob", "bob", world_.cache(), false}, {}).ok();
  EXPECT_TRUE(log().erased(domain_ + 1));
  EXPECT_FALSE(has(repo::domain_name(domain_ + 1))) << "bob's secret is still there";
  EXPECT_TRUE(has(repo::erasure_name(domain_ + 1)));
}

// By whoever may write into the store, with no key at all.
TEST_F(KeyDomains, AnObjectUnderTheLastNumberKeepsNobodyFromMakingADomain) {
  content_->objects[repo::domain_name(0xffffffff)] = std::make_shared<const Buffer>(Buffer{1, 2, 3});
  const auto planned = add_domain(*repository_, "carl", true, {});
  EXPECT_TRUE(planned.ok() && planned.value().number != 0);
  const auto made = add_domain(*repository_, "carl", false, {});
  EXPECT_TRUE(made.ok()) << made.error().text();
}

TEST_F(KeyDomains, ANameIsNotTakenTwiceWhileItsSecretIsLost) {
  const auto kept = content_->objects.at(repo::domain_name(domain_));
  content_->objects.erase(repo::domain_name(domain_));
  (void)add_domain(*anew(), "ann", false, {}).ok();
  content_->objects[repo::domain_name(domain_)] = kept;  // from a copy
  const auto domains = list_domains(*anew(), log(), {});
  ASSERT_TRUE(domains.ok());
  const auto& all = domains.value();
  const auto called = std::count_if(all.begin(), all.end(), [](const auto& d) { return d.name == "ann"; });
  if (called < 2) return;
  // Two of one name: the word must not stand for one of them.
  EXPECT_FALSE(find_domain(all, "ann").ok());
  EXPECT_FALSE(erase_domain(*anew(), {"ann", "ann", "", false}, {}).ok()) << "which of the two?";
}

// Whoever has the index secret and may write puts another secret in place of a lost one.
TEST_F(KeyDomains, NothingIsStoredUnderASecretThatIsNotTheDomains) {
  const repo::Config& config = repository_->config();
  const crypto::Key other(Buffer(32, 9));
  content_->objects[repo::domain_name(domain_)] = std::make_shared<const Buffer>(
      repo::encode_domain_secret(config, *repository_->secrets().index, domain_, other, world_.random()));
  EXPECT_FALSE(domain_named(*anew(), fmt::format("#{}", domain_), {}).ok());
}

// By whom may write the log, and not read.
TEST_F(KeyDomains, TagsThatCantBeReadTakeNoSnapshotOutOfItsDomain) {
  const auto transaction = begin();
  ASSERT_TRUE(commit(*transaction).ok());
  repo::LogState state = log();
  const repo::Tag forged{transaction->id(), {"x"}};
  ASSERT_TRUE(repository_->log().append(state, forged, repository_->now(), world_.random(), {}).ok());
  const auto history = anew()->readable_history({});
  ASSERT_TRUE(history.ok());
  // `copy` goes by this name: "" is a copy outside of every domain, which outlives the erasure.
  EXPECT_EQ(history.value().commits.at(0).domain, "ann");
}

TEST_F(KeyDomains, ANameThatCommandsReadOtherwiseIsNone) {
  // `copy --to-domain none` means: into no domain.
  EXPECT_FALSE(add_domain(*repository_, "none", false, {}).ok());
}

}  // namespace
}  // namespace holdfast::flow
