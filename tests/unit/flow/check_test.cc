// check and scrub: silent on a good repository, and finding any single flipped bit, missing or foreign
// object.
#include "flow/check.h"

#include <cstdlib>

#include "flow/maintain.h"
#include "flow/prune.h"
#include "parity/checksum.h"
#include "repo/pack_reader.h"
#include "repo/transaction.h"
#include "tests/support/interposed_storage.h"
#include "tests/support/on_memory.h"
#include "tests/support/passing_storage.h"

namespace holdfast::flow {

namespace {

using testing::BackupWorld;
using testing::FileSet;
using testing::names;
using testing::noise;
using testing::prose;

std::string text(const CheckReport& report) {
  std::string out;
  for (const Finding& f : report.findings) {
    out += fmt::format("{} {} {}: {} [{}]\n", word(f.severity), f.kind, f.object, f.text, f.snapshots.size());
  }
  return out;
}

class Check : public testing::OnMemory {
 protected:
  Check() {
    files_.directory("home");
    for (int i = 0; i < 700; ++i) {
      files_.file(fmt::format("home/f{:03}", i), prose(300, static_cast<std::uint64_t>(i)));
    }
    files_.file("home/large", noise(2'000'001, 7));
    files_.file("home/text", prose(3'000'000, 8));
    first_ = world_.backup(files_).value().snapshot->id;
    files_.file("home/f100", "edited", 2);
    files_.file("home/more", noise(300'000, 9), 2);
    second_ = world_.backup(files_).value().snapshot->id;
  }

  CheckReport run(CheckLevel level, unsigned workers = 2) { return run_on(*storage_, level, workers); }
  CheckReport run_on(storage::Storage& storage, CheckLevel level, unsigned workers = 2) {
    repo::Doors doors{storage, world_.clock(), world_.random()};
    const auto repository = repo::Repository::open(doors, as_bytes("secret"), {});
    EXPECT_TRUE(repository.ok());
    CheckSpec spec;
    spec.level = level;
    spec.workers = workers;
    SilentObserver silent;
    auto report = check(*repository.value(), spec, silent, {});
    EXPECT_TRUE(report.ok()) << report.error().text();
    return report.ok() ? std::move(report).value() : CheckReport{};
  }
  CheckReport run_scrub() {
    SilentObserver silent;
    auto report = scrub(*storage_, world_.random(), {}, silent, {});
    EXPECT_TRUE(report.ok()) << report.error().text();
    return report.ok() ? std::move(report).value() : CheckReport{};
  }
  void replace(const std::string& name, Buffer bytes) {
    content_->objects[name] = std::make_shared<const Buffer>(std::move(bytes));
  }
  // Puts things right when it goes.
  class Altered {
   public:
    Altered(Check& check, std::string name)
        : check_(check), name_(std::move(name)), before_(check.content_->objects.at(name_)) {}
    ~Altered() { check_.content_->objects[name_] = before_; }
    void flip(std::size_t byte) {
      Buffer bytes = *check_.content_->objects.at(name_);
      bytes[byte] ^= 0x10;
      check_.replace(name_, std::move(bytes));
    }
    void remove() { check_.content_->objects.erase(name_); }
    std::size_t size() const { return before_->size(); }

   private:
    Check& check_;
    std::string name_;
    std::shared_ptr<const Buffer> before_;
  };

  FileSet files_;
  std::string first_, second_;
};

bool is_pack(const std::string& name) { return name.starts_with("d/") || name.starts_with("m/"); }

}  // namespace

TEST_F(Check, AGoodRepositoryIsGoodAtEveryLevel) {
  for (const CheckLevel level : {CheckLevel::quick, CheckLevel::structure, CheckLevel::full}) {
    const CheckReport report = run(level);
    EXPECT_EQ(text(report), "");
    EXPECT_EQ(report.exit_code(), 0);
    EXPECT_EQ(report.snapshots, 2u);
    EXPECT_EQ(report.transactions, 2u);
    EXPECT_EQ(report.packs, 4u);
    EXPECT_EQ(report.leftovers, 0u);
    EXPECT_EQ(report.packs_opened, level == CheckLevel::quick ? 0u : 4u);
    EXPECT_EQ(report.packs_not_read(), level == CheckLevel::full ? 0u : 4u);
  }
  const CheckReport full = run(CheckLevel::full, 1);
  std::uint64_t bytes = 0;
  for (const auto& [name, object] : content_->objects) bytes += is_pack(name) ? object->size() : 0;
  EXPECT_EQ(full.bytes_read, bytes);
  EXPECT_GT(full.chunks, 8u);
  EXPECT_EQ(run_scrub().frames, full.frames);
  EXPECT_EQ(text(run_scrub()), "");
}

TEST_F(Check, AnyFlippedBitOfAnyObjectIsFound) {
  std::mt19937_64 random(3);
  for (const std::string& name : names(*storage_, "")) {
    if (name == "spec") continue;  // a text for people
    for (int i = 0; i < (is_pack(name) ? 12 : 3); ++i) {
      Altered altered(*this, name);
      const std::size_t at = random() % altered.size();
      altered.flip(at);
      const CheckReport report = run(CheckLevel::full, 1);
      ASSERT_FALSE(report.findings.empty()) << name << " at " << at << " of " << altered.size();
      // Of all of it there is a spare copy, or parity.
      EXPECT_EQ(report.count(Severity::warning), report.findings.size()) << name << "\n" << text(report);
      EXPECT_EQ(report.exit_code(), 0);
      if (is_pack(name)) {
        EXPECT_FALSE(run_scrub().findings.empty()) << name << " at " << at;
      }
    }
  }
}

TEST_F(Check, BothCopiesOfASmallObjectDamagedIsDamage) {
  for (const std::string& name : names(*storage_, "t/")) {
    SCOPED_TRACE(name);
    Altered altered(*this, name);
    Buffer bytes = *content_->objects.at(name);
    bytes[20] ^= 1;
    bytes[bytes.size() / 2 + 20] ^= 1;
    replace(name, std::move(bytes));
    const CheckReport report = run(CheckLevel::quick);
    EXPECT_EQ(report.exit_code(), 13) << text(report);
  }
}

TEST_F(Check, AMissingObjectIsFound) {
  for (const std::string& name : names(*storage_, "")) {
    // The last fate of a writer is missed by nobody: its transaction is undecided then.
    const bool last_fate = name.ends_with("/fate") && name == names(*storage_, "t/")[4];
    if (name == "spec" || name == "holdfast" || name.starts_with("keys/") || last_fate) continue;
    SCOPED_TRACE(name);
    Altered altered(*this, name);
    altered.remove();
    for (const CheckLevel level : {CheckLevel::quick, CheckLevel::full}) {
      const CheckReport report = run(level);
      EXPECT_EQ(report.exit_code(), 13) << text(report);
    }
  }
}

TEST_F(Check, SaysWhichSnapshotsNeedWhatIsDamaged) {
  // A data pack of the second snapshot alone, then one of both.
  const auto packs = names(*storage_, "d/");
  ASSERT_EQ(packs.size(), 2u);
  std::set<std::size_t> counts;
  for (const std::string& name : packs) {
    Altered altered(*this, name);
    altered.flip(repo::kPackHeaderBytes + 100);
    EXPECT_EQ(run(CheckLevel::full).exit_code(), 0);  // within parity's reach
    const Bytes bytes = *content_->objects.at(name);
    const repo::Trailer trailer = repo::decode_trailer(bytes.last(repo::kPackTrailerBytes)).value().trailer;
    const std::size_t frame =
        repo::decode_header(bytes.first(repo::kPackHeaderBytes)).value().identity.frame_bytes();
    for (std::uint32_t p = 0; p < trailer.parity_frames(); ++p)
      altered.flip(repo::kPackHeaderBytes + (trailer.frames() + p) * frame);
    const CheckReport report = run(CheckLevel::full);
    ASSERT_EQ(report.findings.size(), 1u) << text(report);
    counts.insert(report.findings.front().snapshots.size());
    EXPECT_EQ(report.findings.front().snapshots.back(), second_);
    EXPECT_NE(report.findings.front().text.find("too many for parity"), std::string::npos) << text(report);
    EXPECT_EQ(text(run(CheckLevel::structure)), "");  // not looked at, not said
  }
  EXPECT_EQ(counts, (std::set<std::size_t>{1, 2}));
}

TEST_F(Check, UnreachableIsNotDamaged) {
  for (const char* prefix : {"d/", "m/", "t/"}) {
    SCOPED_TRACE(prefix);
    class Unreachable final : public testing::PassingStorage {
     public:
      Unreachable(storage::Storage& inner, std::string prefix)
          : PassingStorage(inner), prefix_(std::move(prefix)) {}
      Result<Buffer> get(const std::string& n, storage::ByteRange r, std::stop_token s) override {
        if (n.starts_with(prefix_)) return Error(Errc::unreachable, "no answer");
        return PassingStorage::get(n, r, s);
      }

     private:
      std::string prefix_;
    } unreachable(*storage_, prefix);
    const CheckReport report = run_on(unreachable, CheckLevel::full);
    EXPECT_EQ(report.count(Severity::damaged), 0u) << text(report);
    EXPECT_GT(report.count(Severity::unreachable), 0u);
    EXPECT_EQ(report.exit_code(), 16);
  }
}

TEST_F(Check, LeftoversAreCountedNotBlamed) {
  // A transaction that never came to its fate, with a damaged pack.
  const auto repository = world_.open();
  const auto local = repo::LocalState::open(world_.cache(), *repository.value());
  auto transaction = repo::Transaction::open(*repository.value(), *local, {}, {});
  ASSERT_TRUE(transaction.ok());
  repo::ChunkWriter chunks(*transaction.value(), false);
  const std::string bytes = noise(100'000, 5);
  const auto id =
      repo::chunk_id(repository.value()->keys()->chunk_id(), model::ChunkType::data, as_bytes(bytes));
  const std::uint64_t sum = parity::checksum(as_bytes(bytes));
  ASSERT_TRUE(
      chunks.put({id, model::ChunkType::data, repo::Codec::raw, 100'000, as_bytes(bytes), sum}, {}).ok());
  ASSERT_TRUE(chunks.finish({}).ok());
  const CheckReport report = run(CheckLevel::full);
  EXPECT_EQ(text(report), "");
  EXPECT_EQ(report.undecided, 1u);
  EXPECT_EQ(report.leftovers, 1u);
  EXPECT_EQ(report.packs, 4u);
}

TEST_F(Check, APackOfAnotherPlaceIsNoPack) {
  const auto packs = names(*storage_, "d/");
  Altered altered(*this, packs[0]);
  replace(packs[0], *content_->objects.at(packs[1]));
  EXPECT_EQ(run(CheckLevel::quick).exit_code(), 13);
  EXPECT_EQ(run(CheckLevel::structure).exit_code(), 13);
  EXPECT_EQ(run_scrub().exit_code(), 13);
}

TEST_F(Check, ABrokenLogIsDamage) {
  const auto repository = world_.open();
  repo::LogState log;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(repository.value()
                    ->log()
                    .append(log, repo::Tag{{1, 2}, {"tag"}}, repository.value()->now(), world_.random(), {})
                    .ok());
  }
  EXPECT_EQ(run(CheckLevel::quick).log_entries, 3u);
  Altered altered(*this, repo::log_name(1));
  altered.remove();
  EXPECT_EQ(run(CheckLevel::quick).exit_code(), 13);
}

TEST_F(Check, TheReferenceSetMustCoverTheTree) {
  // A commit that claims nothing but has a tree.
  const auto repository = world_.open();
  const auto history = repository.value()->history({});
  const auto local = repo::LocalState::open(world_.cache(), *repository.value());
  auto transaction = repo::Transaction::open(*repository.value(), *local, {}, {});
  model::Commit commit = history.value().commits.back().commit;
  const auto made = transaction.value()->commit(commit, {}, nullptr, {});
  ASSERT_TRUE(made.ok());
  EXPECT_EQ(run(CheckLevel::quick).exit_code(), 0);
  const CheckReport report = run(CheckLevel::structure);
  EXPECT_EQ(report.exit_code(), 13);
  for (const Finding& f : report.findings) {
    EXPECT_EQ(f.kind, "tree") << text(report);
    EXPECT_EQ(f.snapshots, std::vector<std::string>{made.value().id});
  }
}

TEST_F(Check, ANodeMustBeTheOneThatItsParentNames) {
  const auto repository = world_.open();
  const auto history = repository.value()->history({});
  const auto local = repo::LocalState::open(world_.cache(), *repository.value());
  auto transaction = repo::Transaction::open(*repository.value(), *local, {}, {});
  model::Commit commit = history.value().commits.back().commit;
  const auto references = repository.value()->read_references(commit, {});
  commit.roots.front().id[0] ^= 1;
  const auto made = transaction.value()->commit(commit, references.value(), nullptr, {});
  ASSERT_TRUE(made.ok());
  EXPECT_EQ(run(CheckLevel::quick).exit_code(), 0);
  EXPECT_EQ(run(CheckLevel::structure).exit_code(), 13);
}

TEST_F(Check, WhenStoppedSaysNothing) {
  const auto repository = world_.open();
  SilentObserver silent;
  std::stop_source stop;
  stop.request_stop();
  const auto stopped = check(*repository.value(), {}, silent, stop.get_token());
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.error().kind(), Errc::stopped);
}

TEST_F(Check, PartsTogetherAreTheWhole) {
  const auto repository = world_.open();
  SilentObserver silent;
  std::uint64_t read = 0;
  for (const char* part : {"1/3", "2/3", "3/3"}) {
    CheckSpec spec;
    spec.level = CheckLevel::full;
    spec.part = parse_check_part(part).value();
    const auto report = check(*repository.value(), spec, silent, {});
    EXPECT_EQ(report.value().packs_not_read() + report.value().packs_read, 4u);
    read += report.value().packs_read;
  }
  EXPECT_EQ(read, 4u);
  CheckSpec spec;
  spec.level = CheckLevel::full;
  spec.part = parse_check_part("30%").value();
  EXPECT_EQ(check(*repository.value(), spec, silent, {}).value().packs_read, 2u);
  // By size: packs at random until they come to it; never none, never more than there are.
  const std::uint64_t whole =
      check(*repository.value(), {CheckLevel::full, {}, 0}, silent, {}).value().bytes_read;
  for (const auto& [bytes, packs] : std::map<std::uint64_t, std::uint64_t>{{1, 1}, {whole * 2, 4}}) {
    spec.part = {.bytes = bytes};
    EXPECT_EQ(check(*repository.value(), spec, silent, {}).value().packs_read, packs);
    EXPECT_EQ(scrub(*storage_, world_.random(), spec, silent, {}).value().packs_read, packs);
  }
  for (const char* bad : {"", "%", "0%", "101%", "0/3", "4/3", "1/", "/3", "1/3x", "x%"}) {
    EXPECT_FALSE(parse_check_part(bad).ok()) << bad;
  }
}

// What a prune removes while the check runs is no damage, whenever it comes. With the older snapshots a pack
// is relocated, with the youngest all of a transaction goes.
TEST_F(Check, APruneBesideItIsNoDamage) {
  files_.remove("home/large");
  const std::string third = world_.backup(files_).value().snapshot->id;
  const int stride = std::getenv("HOLDFAST_TEST_LONG") != nullptr ? 1 : 3;
  const auto before = content_->objects;
  const auto forget_and_prune = [&](const std::set<std::string>& which) {
    const auto repository = world_.open();
    const repo::History history = std::move(repository.value()->history({})).value();
    for (const repo::Snapshot* snapshot : history.snapshots()) {
      if (which.contains(snapshot->id)) {
        ASSERT_TRUE(forget(*repository.value(), {snapshot->commit.transaction}, {}).ok());
      }
    }
    PruneOptions options;
    options.max_unused_percent = 0;
    SilentObserver silent;
    const auto done = prune(*repository.value(), options, silent, {});
    ASSERT_TRUE(done.ok()) << done.error().text();
    EXPECT_GT(done.value().deleted_transactions + done.value().relocated_packs, 0u);
  };
  for (const std::set<std::string>& which : {std::set{first_, second_}, std::set{third}}) {
    for (int n = 0, reads = 1; n < reads; n += stride) {
      content_->objects = before;
      int made = -1;  // reads of the check; below 0 while the repository is opened
      const auto between = testing::interpose(storage::open_memory(content_), [&](std::string_view) {
        if (made >= 0 && made++ == n) forget_and_prune(which);
      });
      repo::Doors doors{*between, world_.clock(), world_.random()};
      const auto repository = repo::Repository::open(doors, as_bytes("secret"), {});
      made = 0;
      SilentObserver silent;
      CheckSpec spec;
      spec.level = CheckLevel::full;
      spec.workers = 1;
      const auto report = check(*repository.value(), spec, silent, {});
      ASSERT_TRUE(report.ok()) << report.error().text();
      EXPECT_EQ(report.value().exit_code(), 0) << "before read " << n << ":\n" << text(report.value());
      reads = std::max(reads, made);
    }
  }
}

TEST_F(Check, AKeyThatIsRemovedMeanwhileIsNoDamage) {
  const auto by = std::move(world_.open()).value();
  const std::string added = by->add_key(as_bytes("another"), "", {1, 8}, {}).value();
  bool removed = false, opened = false;
  const auto between = testing::interpose(storage::open_memory(content_), [&](std::string_view call) {
    if (!opened || removed || call != "get " + added) return;
    removed = true;
    EXPECT_TRUE(by->remove_key(added, {}).ok());
  });
  const auto repository =
      repo::Repository::open({*between, world_.clock(), world_.random()}, as_bytes("secret"), {}).value();
  opened = true;
  CheckSpec spec;
  spec.level = CheckLevel::quick;
  SilentObserver silent;
  EXPECT_EQ(text(check(*repository, spec, silent, {}).value()), "");
  EXPECT_TRUE(removed);
}

TEST_F(Check, ReadsEveryFateOnceAlsoWhereItRemembers) {
  std::map<std::string, int> reads;
  const auto counted = testing::interpose(storage::open_memory(content_), [&](std::string_view call) {
    if (call.starts_with("get t/") && call.ends_with("/fate")) ++reads[std::string(call)];
  });
  const auto repository =
      repo::Repository::open({*counted, world_.clock(), world_.random()}, as_bytes("secret"), {}).value();
  repository->remember_in(world_.cache());
  CheckSpec spec;
  spec.level = CheckLevel::quick;
  SilentObserver silent;
  ASSERT_EQ(text(check(*repository, spec, silent, {}).value()), "");
  EXPECT_EQ(reads.size(), 2u);
  for (const auto& [call, count] : reads) EXPECT_EQ(count, 1) << call;
  // It did remember, and says what is gone; taken for what was seen it is good.
  const std::string fate = reads.rbegin()->first.substr(4);
  content_->objects.erase(fate);
  const CheckReport gone = check(*repository, spec, silent, {}).value();
  EXPECT_NE(text(gone).find("damaged history history"), std::string::npos) << text(gone);
  EXPECT_NE(text(gone).find(fate), std::string::npos) << text(gone);
  EXPECT_EQ(gone.exit_code(), 13);
  spec.accept_history = true;
  EXPECT_EQ(check(*repository, spec, silent, {}).value().exit_code(), 0);
  spec.accept_history = false;
  EXPECT_EQ(check(*repository, spec, silent, {}).value().exit_code(), 0);
}

TEST_F(Check, OfChosenSnapshotsOnlyWhatTheyNeedIsRead) {
  const auto repository = world_.open().value();
  const auto history = repository->history({}).value();
  const auto* first = history.snapshots().front();
  const auto* second = history.snapshots().back();
  // Of the second run's packs the first snapshot needs nothing.
  std::vector<std::string> seconds;
  for (const std::string& name : names(*storage_, "")) {
    const auto pack = repo::parse_pack_name(name);
    if (pack && pack->id.transaction == second->commit.transaction) seconds.push_back(name);
  }
  ASSERT_EQ(seconds.size(), 2u);
  for (const std::string& name : seconds) replace(name, Buffer(content_->objects.at(name)->size()));
  const auto check_only = [&](const repo::Snapshot* one) {
    CheckSpec spec;
    spec.level = CheckLevel::full;
    spec.only = {one->commit.transaction};
    SilentObserver silent;
    return check(*repository, spec, silent, {}).value();
  };
  const CheckReport good = check_only(first);
  EXPECT_EQ(text(good), "");
  EXPECT_EQ(good.snapshots, 1u);
  EXPECT_EQ(good.packs, 2u);
  EXPECT_EQ(good.packs_read, 2u);
  EXPECT_EQ(good.entries, first->commit.roots.front().entries);
  const CheckReport bad = check_only(second);
  EXPECT_EQ(bad.exit_code(), 13);
  EXPECT_EQ(bad.packs, 4u);
  for (const std::string& name : seconds) EXPECT_NE(text(bad).find(name), std::string::npos) << text(bad);
  // What is shared is told of both.
  content_->objects.erase(names(*storage_, "d/").front() == seconds.front() ? names(*storage_, "d/").back()
                                                                            : names(*storage_, "d/").front());
  const CheckReport shared = check_only(first);
  ASSERT_FALSE(shared.findings.empty());
  EXPECT_EQ(shared.findings.front().snapshots.size(), 2u) << text(shared);
}

}  // namespace holdfast::flow
