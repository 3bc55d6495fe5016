// What went wrong in other backup programs, and must not here; docs/incidents.md says which. Those that other
// suites guard are not repeated.
#include <set>

#include "flow/check.h"
#include "repo/names.h"
#include "repo/pack_format.h"
#include "storage/memory.h"
#include "tests/support/backup_world.h"
#include "tests/support/passing_storage.h"

namespace holdfast::flow {

namespace {

using testing::BackupWorld;
using testing::FileSet;
using testing::names;
using testing::noise;
using testing::prose;

FileSet some_files() {
  FileSet files;
  files.directory("home");
  for (int i = 0; i < 20; ++i)
    files.file(fmt::format("home/f{:02}", i), prose(500, static_cast<std::uint64_t>(i)));
  files.file("home/large", noise(300'000, 7));
  return files;
}

// A store that answers every put with success and spoils the objects whose names contain a word.
class LyingStorage final : public testing::PassingStorage {
 public:
  // `inner` is a store over `content`.
  LyingStorage(storage::Storage& inner, std::shared_ptr<storage::MemoryContent> content, std::string word)
      : PassingStorage(inner), content_(std::move(content)), word_(std::move(word)) {}

  bool drops = false;  // else it keeps the first half

  Result<void> put(const std::string& name, Bytes bytes, std::stop_token stop) override {
    TRY(PassingStorage::put(name, bytes, stop));
    spoil(name);
    return {};
  }
  Result<void> put(const std::string& name, storage::Spool& spool, std::stop_token stop) override {
    TRY(PassingStorage::put(name, spool, stop));
    spoil(name);
    return {};
  }

 private:
  void spoil(const std::string& name) {
    if (name.find(word_) == name.npos) return;
    const std::lock_guard lock(content_->mutex);
    auto& object = content_->objects.at(name);
    const auto half = static_cast<std::ptrdiff_t>(object->size() / 2);
    if (drops) {
      content_->objects.erase(name);
    } else {
      object = std::make_shared<const Buffer>(object->begin(), object->begin() + half);
    }
  }

  std::shared_ptr<storage::MemoryContent> content_;
  const std::string word_;
};

// Gives other bytes at every read, as of a database file that is mapped and written to all the while.
class RestlessSource final : public source::Source {
 public:
  explicit RestlessSource(const FileSet& files) : inner_(files.list()) {}
  Result<bool> next(source::Item& item, std::stop_token stop) override { return inner_.next(item, stop); }
  Result<void> complete(source::Item& item) override { return inner_.complete(item); }
  bool repeatable() const override { return true; }
  Result<void> restart() override { return inner_.restart(); }
  Result<std::unique_ptr<source::Content>> open(const source::Item& item) override {
    auto content = TRY(inner_.open(item));
    return std::unique_ptr<source::Content>(new Restless(std::move(content), random_));
  }

 private:
  class Restless final : public source::Content {
   public:
    Restless(std::unique_ptr<source::Content> inner, std::mt19937_64& random)
        : inner_(std::move(inner)), random_(random) {}
    Result<std::size_t> read(std::uint64_t offset, MutableBytes out) override {
      const std::size_t got = TRY(inner_->read(offset, out));
      for (std::size_t i = random_() % 97; i < got; i += 97) out[i] = static_cast<std::uint8_t>(random_());
      return got;
    }
    Result<std::vector<std::pair<std::uint64_t, std::uint64_t>>> data_runs(std::uint64_t from,
                                                                           std::uint64_t to) override {
      return inner_->data_runs(from, to);
    }
    Result<bool> unchanged_since(const source::Item&) override { return true; }

   private:
    std::unique_ptr<source::Content> inner_;
    std::mt19937_64& random_;
  };

  source::MemorySource inner_;
  std::mt19937_64 random_{5};
};

CheckReport full_check(const repo::Repository& repository) {
  CheckSpec spec;
  spec.level = CheckLevel::full;
  spec.workers = 1;
  SilentObserver silent;
  auto report = check(repository, spec, silent, {});
  EXPECT_TRUE(report.ok()) << report.error().text();
  return report.ok() ? std::move(report).value() : CheckReport{};
}

// A machine whose random source gives the same for ever.
class BrokenRandom final : public Random {
 public:
  void fill(MutableBytes out) override { std::fill(out.begin(), out.end(), std::uint8_t{7}); }
};

}  // namespace

// Of every kind of object that a commit stands on.
TEST(Incidents, AStoreThatDoesNotKeepWhatItSaysIsFoundOutBeforeTheCommit) {
  for (const char* word : {"d/", "m/", "/man", "/refs"}) {
    for (const bool drops : {false, true}) {
      SCOPED_TRACE(fmt::format("{} {}", word, drops ? "dropped" : "cut"));
      const auto content = std::make_shared<storage::MemoryContent>();
      const auto honest = storage::open_memory(content);
      BackupWorld world(*honest, 1);
      ASSERT_TRUE(world.create().ok());
      LyingStorage lying(*honest, content, word);
      lying.drops = drops;
      world.use(lying);
      const auto report = world.backup(some_files());
      ASSERT_FALSE(report.ok()) << "a snapshot was reported as done";
      EXPECT_EQ(report.error().kind(), Errc::damaged) << report.error().text();
      EXPECT_NE(report.error().text().find(word), std::string::npos) << report.error().text();
      world.use(*honest);
      const auto repository = world.open();
      EXPECT_TRUE(repository.value()->history({}).value().commits.empty());
      const auto again = world.backup(some_files());
      ASSERT_TRUE(again.ok()) << again.error().text();
      EXPECT_EQ(difference(*repository.value(), *again.value().snapshot, some_files()), "");
      EXPECT_EQ(full_check(*repository.value()).exit_code(), 0);
    }
  }
}

// What was hashed is what is stored: else a chunk would carry an id that is not its own.
TEST(Incidents, AFileThatIsNeverTheSameTwiceIsStoredAsItWasRead) {
  const auto store = storage::open_memory();
  BackupWorld world(*store, 1);
  ASSERT_TRUE(world.create().ok());
  FileSet files = some_files();
  files.file("home/image.db", prose(100 * 4096, 9));
  for (int run = 0; run < 3; ++run) {
    RestlessSource source(files);
    const auto report = world.backup_from(source, BackupWorld::spec());
    ASSERT_TRUE(report.ok()) << report.error().text();
    const auto repository = world.open();
    EXPECT_EQ(full_check(*repository.value()).findings.size(), 0u);
    files.file("home/image.db", prose(100 * 4096, 9), run + 2);
    files.file("home/large", noise(300'000, 7), run + 2);
  }
}

// A nonce that comes twice under one key must be of the same text: even where the random source is broken.
TEST(Incidents, NoNonceComesTwiceOnDifferentText) {
  const auto content = std::make_shared<storage::MemoryContent>();
  const auto store = storage::open_memory(content);
  BackupWorld world(*store, 1);
  ASSERT_TRUE(world.create().ok());
  BrokenRandom broken;
  testing::FakeClock clock;
  for (int run = 0; run < 3; ++run) {
    FileSet files = some_files();
    files.file("home/large", noise(300'000, static_cast<std::uint64_t>(run)), run + 1);
    const auto repository = repo::Repository::open({*store, clock, broken}, as_bytes("secret"), {});
    const auto local = repo::LocalState::open(world.cache(), *repository.value());
    source::MemorySource source(files.list());
    SilentObserver silent;
    ASSERT_TRUE(backup(source, *repository.value(), *local, BackupWorld::spec(), silent, {}).ok());
  }
  std::map<std::string, std::string> seen;  // nonce → nonce and ciphertext
  std::size_t frames = 0;
  for (const auto& [name, object] : content->objects) {
    if (!repo::parse_pack_name(name)) continue;
    const Bytes bytes = *object;
    const auto header = repo::decode_header(bytes.first(repo::kPackHeaderBytes)).value();
    const auto trailer = repo::decode_trailer(bytes.last(repo::kPackTrailerBytes)).value().trailer;
    const std::size_t size = header.identity.frame_bytes();
    for (std::uint32_t i = 0; i < trailer.frames(); ++i) {
      const Bytes frame = bytes.subspan(repo::kPackHeaderBytes + i * size, size - crypto::kTagBytes);
      const auto [at, is_new] = seen.emplace(as_text(frame.first(crypto::kNonceBytes)), as_text(frame));
      EXPECT_TRUE(is_new || at->second == as_text(frame)) << name << " frame " << i;
      ++frames;
    }
  }
  EXPECT_GT(frames, 12u);
}

}  // namespace holdfast::flow
