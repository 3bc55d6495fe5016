#include "flow/key_domains.h"

#include <gtest/gtest.h>

#include "flow/maintain.h"
#include "repo/collector.h"
#include "repo/transaction.h"
#include "tests/support/on_memory.h"

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

}  // namespace
}  // namespace holdfast::flow
