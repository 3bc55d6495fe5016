// What else goes on in a repository, with a key domain in it (decision 16): rotation, rekey, lost chunks,
// mirrors. Nothing crosses from one domain to another, and nothing brings back what was erased.
#include <unistd.h>

#include "flow/backup.h"
#include "flow/key_domains.h"
#include "flow/mirror.h"
#include "flow/prune.h"
#include "flow/rebuild_index.h"
#include "flow/rekey.h"
#include "flow/repair.h"
#include "repo/rotation.h"
#include "repo/transaction.h"
#include "source/memory.h"
#include "tests/support/on_memory.h"
#include "tests/support/passing_storage.h"

namespace holdfast::flow {

namespace {

using testing::BackupWorld;
using testing::FileSet;
using testing::noise;

class DomainUpkeep : public testing::OnMemory {
 protected:
  DomainUpkeep() {
    files_.directory("home");
    for (std::uint64_t i = 0; i < 60; ++i) files_.file(fmt::format("home/f{:04}", i), noise(200, 500 + i));
    files_.file("home/large", noise(700'000, 99));
    domain_ = add_domain(*open(), "ann", false, {}).value().number;
    first_plain_ = backup(0).snapshot->commit.transaction;
    first_ann_ = backup(domain_).snapshot->commit.transaction;
  }

  std::unique_ptr<repo::Repository> open() { return std::move(world_.open()).value(); }
  std::unique_ptr<repo::LocalState> local_of(const repo::Repository& repository, model::Domain domain) {
    return repo::LocalState::open(world_.cache(), repository, repository.domain_keys(domain, {}).value());
  }
  BackupReport backup(model::Domain domain) {
    world_.clock().advance_ns(std::int64_t{3'600'000'000'000});
    const auto repository = open();
    const auto local = local_of(*repository, domain);
    source::MemorySource source(files_.list());
    auto report = flow::backup(source, *repository, *local, BackupWorld::spec(), silent_, {});
    EXPECT_TRUE(report.ok()) << report.error().text();
    return report.ok() ? std::move(report).value() : BackupReport{};
  }
  void erase() { ASSERT_TRUE(erase_domain(*open(), {"ann", "ann", world_.cache(), false}, {}).ok()); }
  RepairReport repair_packs() {
    auto report = repair(*open(), {}, silent_, {});
    EXPECT_TRUE(report.ok()) << report.error().text();
    return report.ok() ? std::move(report).value() : RepairReport{};
  }
  std::vector<Finding> findings() {
    CheckSpec spec;
    spec.level = CheckLevel::full;
    return check(*open(), spec, silent_, {}).value().findings;
  }
  void expect_clean() {
    for (const Finding& f : findings()) ADD_FAILURE() << f.object << ": " << f.text;
  }
  // All live snapshots are what was backed up, and refer only to transactions of their own domain.
  void expect_apart(std::size_t snapshots) {
    const auto repository = open();
    const auto history = repository->history({}).value();
    const auto live = history.snapshots();
    EXPECT_EQ(live.size(), snapshots);
    for (const repo::Snapshot* snapshot : live) {
      EXPECT_EQ(testing::difference(*repository, *snapshot, files_), "");
      const auto references = repository->read_references(snapshot->commit, {}).value();
      for (const auto& [pack, slots] : references) {
        const auto place = repository->read_opening(pack.transaction, {}).value().place;
        EXPECT_EQ(place.domain, snapshot->commit.domain) << repo::text(pack);
      }
    }
  }
  // The data packs of one transaction.
  std::vector<std::string> packs_of(const model::TransactionId& id) {
    std::vector<std::string> out;
    for (const std::string& name : testing::names(*storage_, "d/")) {
      if (repo::parse_pack_name(name)->id.transaction == id) out.push_back(name);
    }
    return out;
  }
  std::size_t lost() {
    repo::LogState log;
    EXPECT_TRUE(open()->log().follow(log, {}).ok());
    return log.lost.size();
  }

  FileSet files_;
  SilentObserver silent_;
  model::Domain domain_ = 0;
  model::TransactionId first_plain_, first_ann_;
};

}  // namespace

TEST_F(DomainUpkeep, RotationAndRekeyStayWithinTheDomain) {
  const auto thief = open();
  const auto by = open();
  ASSERT_TRUE(repo::rotate(*by, repo::plan_rotation(*by, {}).value(), {}).ok());
  EXPECT_EQ(backup(domain_).data_blobs, 0u) << "what the domain has is found by newer keys too";
  expect_apart(3);
  const auto repository = open();
  const RekeyPlan plan = plan_rekey(*repository, {}).value();
  EXPECT_EQ(plan.snapshots.size(), 3u);
  std::size_t done = 0;
  for (const model::Domain domain : {model::Domain{0}, domain_}) {
    const auto report = rekey(*repository, plan, *local_of(*repository, domain), silent_, {});
    ASSERT_TRUE(report.ok()) << report.error().text();
    EXPECT_GT(report.value().snapshots.front().stored_bytes, 700'000u) << "shared with another domain";
    done += report.value().snapshots.size();
  }
  EXPECT_EQ(done, 3u);
  expect_apart(3);
  EXPECT_TRUE(plan_rekey(*repository, {}).value().snapshots.empty());
  expect_clean();
  const auto history = open()->history({}).value();
  for (const auto* s : history.snapshots())
    EXPECT_EQ(thief->session_key(s->commit.transaction, {}).error().kind(), Errc::denied);
  erase();
  expect_apart(1);
  for (const repo::Snapshot& s : history.commits) {
    EXPECT_EQ(open()->session_key(s.commit.transaction, {}).ok(), s.commit.domain == 0);
  }
}

TEST_F(DomainUpkeep, LostChunksComeBackFromTheirOwnDomainOnly) {
  for (const std::string& name : packs_of(first_ann_)) content_->objects.erase(name);
  EXPECT_GT(repair_packs().wanted, 0u);
  EXPECT_GT(lost(), 0u);
  EXPECT_EQ(backup(0).data_blobs, 0u) << "the list is of another domain";
  EXPECT_TRUE(repair_packs().done.empty()) << "filled in from another domain";
  EXPECT_GT(backup(domain_).data_blobs, 0u);
  EXPECT_FALSE(repair_packs().done.empty());
  EXPECT_EQ(lost(), 0u);
  expect_apart(4);
  expect_clean();
}

TEST_F(DomainUpkeep, AnIndexKnowsItsOwnDomainOnly) {
  const auto repository = open();
  for (const model::Domain domain : {model::Domain{0}, domain_}) {
    const auto report = rebuild_index(*repository, *local_of(*repository, domain), false, silent_, {});
    ASSERT_TRUE(report.ok()) << report.error().text();
    EXPECT_EQ(report.value().transactions, 1u);
  }
  // Who this machine writes as in the domain is no cache of the others'.
  const auto ann = local_of(*repository, domain_);
  EXPECT_EQ(::access((ann->directory() + "/writer").c_str(), F_OK), 0);
  ASSERT_TRUE(rebuild_index(*repository, *local_of(*repository, 0), false, silent_, {}).ok());
  EXPECT_EQ(::access((ann->directory() + "/writer").c_str(), F_OK), 0);
  EXPECT_NE(::access((ann->directory() + "/index").c_str(), F_OK), 0);
}

TEST_F(DomainUpkeep, WhatWasErasedIsNeitherDamageNorWanted) {
  for (const std::string& name : packs_of(first_ann_)) ruin(name);
  EXPECT_GT(repair_packs().wanted, 0u);
  EXPECT_GT(backup(domain_).data_blobs, 0u);
  erase();
  expect_apart(1);
  for (const Finding& f : findings()) EXPECT_NE(f.severity, Severity::damaged) << f.object << ": " << f.text;
  const RepairReport nothing = repair_packs();
  EXPECT_TRUE(nothing.done.empty());
  EXPECT_EQ(nothing.exit_code(), 0);
  PruneOptions options;
  options.wait_ms = 0;
  const auto pruned = prune(*open(), options, silent_, {});
  ASSERT_TRUE(pruned.ok()) << pruned.error().text();
  EXPECT_TRUE(packs_of(first_ann_).empty());
  expect_apart(1);
  expect_clean();
}

TEST_F(DomainUpkeep, ARepairTakesNoSecretThatDoesNotOpen) {
  const auto replica_content = std::make_shared<storage::MemoryContent>();
  const auto replica = storage::open_memory(replica_content);
  ASSERT_TRUE(mirror(*storage_, *replica, {}, silent_, {}).ok());
  const std::string secret = repo::domain_name(domain_);
  content_->objects.erase(secret);
  const crypto::Key wrong(Buffer(32, 3));
  replica_content->objects[secret] = std::make_shared<const Buffer>(
      repo::encode_domain_secret(open()->config(), wrong, domain_, wrong, world_.random()));
  RepairOptions options;
  options.replica = replica.get();
  EXPECT_NE(repair(*open(), options, silent_, {}).value().exit_code(), 0);
  EXPECT_FALSE(content_->objects.contains(secret));
}

TEST_F(DomainUpkeep, ADryRunOfAMirrorDestroysNothing) {
  const auto target_content = std::make_shared<storage::MemoryContent>();
  const auto target = storage::open_memory(target_content);
  ASSERT_TRUE(mirror(*storage_, *target, {}, silent_, {}).ok());
  erase();
  MirrorSpec spec;
  spec.dry_run = true;
  EXPECT_EQ(mirror(*storage_, *target, spec, silent_, {}).value().secrets_destroyed, 1u);
  EXPECT_TRUE(target_content->objects.contains(repo::domain_name(domain_)));
}

TEST_F(DomainUpkeep, ACopyInAnotherDomainIsNoCopy) {
  const auto storage = storage::open_memory();
  BackupWorld other(*storage, 2);
  ASSERT_TRUE(other.create().ok());
  const auto to = std::move(other.open()).value();
  const model::Domain ann = add_domain(*to, "ann", false, {}).value().number;
  const auto from = open();
  const auto history = from->history({}).value();
  for (const model::Domain domain : {model::Domain{0}, ann}) {
    const auto local = repo::LocalState::open(other.cache(), *to, to->domain_keys(domain, {}).value());
    const auto copied = copy(*from, {history.find(first_ann_)}, *to, *local, silent_, {});
    ASSERT_TRUE(copied.ok()) << copied.error().text();
    EXPECT_FALSE(copied.value().snapshots.front().was_there) << domain;
  }
}

TEST_F(DomainUpkeep, CheckTellsOfACommitInADomainThatTheLogDoesNotKnow) {
  const auto repository = open();
  const crypto::Key secret(Buffer(32, 5));
  const auto keys = std::make_shared<const repo::DomainKeys>(9, &secret, &*repository->secrets().content);
  const auto local = repo::LocalState::open("", *repository, keys);
  const auto transaction = repo::Transaction::open(*repository, *local, {}, {}).value();
  ASSERT_TRUE(transaction->commit({}, {}, nullptr, {}).ok());
  bool told = false;
  for (const Finding& f : findings())
    told = told || f.text.find("which the log does not know") != std::string::npos;
  EXPECT_TRUE(told);
}

// By whoever may write into the store, with no key at all, before the erasure.
TEST_F(DomainUpkeep, AnObjectInPlaceOfTheNoticeIsNotPassedOverInSilence) {
  const auto target_content = std::make_shared<storage::MemoryContent>();
  const auto target = storage::open_memory(target_content);
  ASSERT_TRUE(mirror(*storage_, *target, {}, silent_, {}).ok());
  const std::string secret = repo::domain_name(domain_), notice = repo::erasure_name(domain_);
  content_->objects[notice] = std::make_shared<const Buffer>(Buffer{1, 2, 3});
  const auto erased = erase_domain(*open(), {"ann", "ann", world_.cache(), false}, {});
  const auto mirrored = mirror(*storage_, *target, {}, silent_, {});
  ASSERT_TRUE(mirrored.ok());
  const bool gone = !target_content->objects.contains(secret);
  EXPECT_TRUE(gone || !erased.ok()) << "the erasure says that all is done, and the mirror keeps the secret";
  bool told = false;
  for (const Finding& f : findings()) told = told || f.object == notice;
  EXPECT_TRUE(gone || told) << "nor does check tell of it";
}

TEST_F(DomainUpkeep, AMirrorNeverHasASecretThatWasErased) {
  const auto target_content = std::make_shared<storage::MemoryContent>();
  const auto target = storage::open_memory(target_content);
  const std::string secret = repo::domain_name(domain_), notice = repo::erasure_name(domain_);
  const auto has = [&](const std::string& name) { return target_content->objects.contains(name); };
  const auto run = [&] { return mirror(*storage_, *target, {}, silent_, {}).value(); };
  // A notice that the administrator did not sign, by somebody who may write the log.
  const auto repository = open();
  repo::EraseDomain forged{domain_, repository->now(), {}};
  repo::sign(forged, repository->config(), *repository->secrets().log);
  content_->objects[notice] = std::make_shared<const Buffer>(repo::encode_erasure(forged));
  EXPECT_EQ(run().secrets_destroyed, 0u);
  EXPECT_TRUE(has(secret));
  content_->objects.erase(notice);
  target_content->objects.erase(notice);

  const auto kept = content_->objects.at(secret);
  erase();
  content_->objects[secret] = kept;  // as if it had been cut off before the secret went
  EXPECT_EQ(run().secrets_destroyed, 1u);
  EXPECT_FALSE(has(secret));
  EXPECT_TRUE(has(notice));
  EXPECT_EQ(run().secrets_destroyed, 0u);
  EXPECT_FALSE(has(secret)) << "it was copied again";
}

// A copy of before; and the log is damaged before the entry that says what was erased.
TEST_F(DomainUpkeep, ARepairBringsNoSecretBackThatWasErased) {
  const auto replica_content = std::make_shared<storage::MemoryContent>();
  const auto replica = storage::open_memory(replica_content);
  ASSERT_TRUE(add_domain(*open(), "bob", false, {}).ok());
  ASSERT_TRUE(mirror(*storage_, *replica, {}, silent_, {}).ok());
  erase();
  const std::string secret = repo::domain_name(domain_);
  ASSERT_FALSE(content_->objects.contains(secret));
  content_->objects.erase(repo::log_name(1));
  RepairOptions options;
  options.replica = replica.get();
  const auto repository = open();
  const RepairPlan plan = plan_repair(*repository, options, silent_, {}).value();
  for (const RepairPlan::Step& step : plan.steps) EXPECT_NE(step.object, secret) << "it is planned";
  const auto report = repair(*repository, options, silent_, {});
  ASSERT_TRUE(report.ok()) << report.error().text();
  EXPECT_TRUE(content_->objects.contains(repo::log_name(1)));
  EXPECT_FALSE(content_->objects.contains(secret)) << "it was fetched from the copy";
  EXPECT_FALSE(open()->session_key(first_ann_, {}).ok()) << "what was erased opens again";
}

// A mirror run that was cut off after the secret went and before the log came.
TEST_F(DomainUpkeep, WhereOnlyTheNoticeCameTheSecretIsNoLoss) {
  const auto whole = content_->objects;
  const auto replica_content = std::make_shared<storage::MemoryContent>();
  const auto replica = storage::open_memory(replica_content);
  ASSERT_TRUE(mirror(*storage_, *replica, {}, silent_, {}).ok());
  erase();
  const std::string secret = repo::domain_name(domain_), notice = repo::erasure_name(domain_);
  const auto signed_notice = content_->objects.at(notice);
  content_->objects = whole;
  content_->objects.erase(secret);
  content_->objects[notice] = signed_notice;
  const auto refused = open()->session_key(first_ann_, {});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind(), Errc::denied) << refused.error().text();
  RepairOptions options;
  options.replica = replica.get();
  ASSERT_TRUE(repair(*open(), options, silent_, {}).ok());
  EXPECT_FALSE(content_->objects.contains(secret)) << "it was fetched from the copy";
}

// docs/format/domains.md: a commit's tree and references lie in transactions of its own domain.
TEST_F(DomainUpkeep, CheckTellsOfACommitThatReliesOnAnotherDomain) {
  const auto repository = open();
  const auto history = repository->history({}).value();
  const repo::Snapshot* ann = history.find(first_ann_);
  const auto plain = local_of(*repository, 0);
  const auto transaction = repo::Transaction::open(*repository, *plain, {}, {}).value();
  model::Commit commit = ann->commit;
  commit.previous_sequence = 0;
  commit.previous_hash = {};
  commit.parent.reset();
  const auto references = repository->read_references(ann->commit, {}).value();
  ASSERT_TRUE(transaction->commit(commit, references, nullptr, {}).ok());
  EXPECT_FALSE(findings().empty()) << "the erasure of ann will take this snapshot along";
}

// An object lock, say. What can't be removed is told; the space of everything else still comes back.
TEST_F(DomainUpkeep, ASecretThatCantBeRemovedKeepsNoPruneFromRunning) {
  testing::LockingStorage store(*storage_, repo::domain_name(1));
  world_.use(store);
  EXPECT_FALSE(erase_domain(*open(), {"ann", "ann", world_.cache(), false}, {}).ok());
  PruneOptions options;
  options.wait_ms = 0;
  const auto pruned = prune(*open(), options, silent_, {});
  EXPECT_TRUE(pruned.ok()) << pruned.error().text();
  EXPECT_TRUE(packs_of(first_ann_).empty());
}

}  // namespace holdfast::flow
