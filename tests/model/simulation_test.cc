// Whole histories of several clients on one store, step by step, seed by seed: backups, checkpoints,
// forgetting and taking it back, prunes, restores, and clients that die at any operation. After each, every
// snapshot that counts must come back byte for byte, and a last prune must leave nothing that isn't needed.
// One seed is one history.
//   HOLDFAST_GC_SEEDS=<count>  how many (300, or 10,000 where HOLDFAST_TEST_LONG is set)
//   HOLDFAST_GC_SEED=<n>       only that one, with what the clients did
#include "flow/maintain.h"
#include "flow/prune.h"
#include "tests/model/gc_world.h"
#include "tests/support/scratch_dir.h"
#include "tests/support/stepped_storage.h"

namespace holdfast::testing {
namespace {

using model::TransactionId;

// What the clients did, and what must be true for it.
struct Oracle {
  std::mutex mutex;                                  // guards all
  std::map<std::string, Files> contents;             // by tag, from before the backup begins
  std::map<TransactionId, std::string> reported;     // snapshots reported as done
  std::map<TransactionId, std::string> checkpoints;  // of runs that were stopped
  std::set<TransactionId> ever_forgotten;            // somebody tried to
  std::vector<std::string> story;
  std::vector<std::string> wrong;

  void tell(std::size_t client, const std::string& what) {
    const std::lock_guard lock(mutex);
    story.push_back(fmt::format("{}: {}", client, what));
  }
  void fail(std::size_t client, const std::string& what) {
    const std::lock_guard lock(mutex);
    wrong.push_back(fmt::format("client {}: {}", client, what));
  }
};

std::uint64_t up_to(std::mt19937_64& random, std::uint64_t n) { return random() % n; }

// A few files out of few contents, so that clients store, share and lose the same ones.
Files random_files(std::mt19937_64& random) {
  Files files;
  for (std::uint64_t i = 0; i < 6; ++i) {
    const std::uint64_t content = up_to(random, 12);
    const bool large = content < 5;  // chunks of their own; the others go into bundles
    if (up_to(random, 4) != 0) files[fmt::format("d/f{}", i)] = noise(content, large ? 135'000 : 500);
  }
  if (files.empty()) files["d/f"] = "x";
  return files;
}

class Actor {
 public:
  Actor(Oracle& oracle, std::size_t number, Machine& machine, std::uint64_t seed)
      : oracle_(oracle), number_(number), machine_(machine), random_(seed) {
    machine_.machine = fmt::format("host{}", number % 2);
  }

  void run(std::uint64_t actions) {
    for (std::uint64_t i = 0; i < actions; ++i) {
      switch (up_to(random_, 10)) {
        case 0:
        case 1:
        case 2:
          back_up();
          break;
        case 3:
          back_up_partly();
          break;
        case 4:
        case 5:
          forget();
          break;
        case 6:
          unforget();
          break;
        case 7:
        case 8:
          prune();
          break;
        default:
          check();
          break;
      }
    }
  }

  void back_up() {
    const auto [tag, files] = begin();
    const bool legs = up_to(random_, 3) == 0;
    const auto report = legs ? machine_.back_up_in_legs(files, tag) : machine_.back_up(files, tag);
    expect(report, (legs ? "back up in legs " : "back up ") + tag, {Errc::conflict});
    if (!report.ok()) return;
    const std::lock_guard lock(oracle_.mutex);
    oracle_.reported[report.value().snapshot->commit.transaction] = tag;
  }

  void prune() {
    flow::PruneOptions options;
    options.max_unused_percent = up_to(random_, 2) == 0 ? 0 : 20;
    options.dead_packs_only = up_to(random_, 5) == 0;
    options.abort_open_after_s = up_to(random_, 3) == 0 ? 0 : 3600;
    options.wait_ms = 500 * up_to(random_, 40);
    options.connections = 1;
    expect(machine_.prune(options), "prune", {Errc::conflict});
  }

  void forget() {
    const auto history = machine_.repository->history({});
    if (!expect(history, "list", {})) return;
    const auto id = pick(history.value(), false);
    if (!id) return;
    {
      const std::lock_guard lock(oracle_.mutex);
      oracle_.ever_forgotten.insert(*id);
    }
    expect(flow::forget(*machine_.repository, {*id}, {}), "forget " + repo::text(*id), {Errc::not_found});
  }

 private:
  std::pair<std::string, Files> begin() {
    Files files = random_files(random_);
    const std::lock_guard lock(oracle_.mutex);
    const std::string tag = fmt::format("v{}", oracle_.contents.size());
    oracle_.contents[tag] = files;
    return {tag, files};
  }

  void back_up_partly() {
    const auto [tag, files] = begin();
    const auto report = machine_.back_up_partly(files, tag, up_to(random_, 5));
    expect(report, "checkpoint " + tag, {Errc::conflict});
    if (report.ok() || report.error().kind() != Errc::stopped) return;
    const auto history = machine_.repository->history({});
    if (!history.ok()) return;
    const std::lock_guard lock(oracle_.mutex);
    for (const repo::Snapshot& commit : history.value().commits) {
      if (commit.tags.at(0) == tag) oracle_.checkpoints[commit.commit.transaction] = tag;
    }
  }

  // Some snapshot that is, or is not, forgotten.
  std::optional<TransactionId> pick(const repo::History& history, bool forgotten) {
    std::vector<TransactionId> found;
    for (const repo::Snapshot& s : history.commits) {
      if (s.commit.kind == model::CommitKind::snapshot && s.forgotten == forgotten) {
        found.push_back(s.commit.transaction);
      }
    }
    if (found.empty()) return std::nullopt;
    return found[up_to(random_, found.size())];
  }

  void unforget() {
    const auto history = machine_.repository->history({});
    if (!expect(history, "list", {})) return;
    const auto id = pick(history.value(), true);
    if (id) {
      expect(flow::unforget(*machine_.repository, {*id}, {}), "unforget " + repo::text(*id),
             {Errc::not_found});
    }
  }

  // Restores some snapshot, while others may move or, where it is forgotten, remove what it needs.
  void check() {
    const auto history = machine_.repository->history({});
    if (!expect(history, "list", {})) return;
    const auto id = pick(history.value(), false);
    if (!id) return;
    const repo::Snapshot& snapshot = *history.value().find(*id);
    const auto files = machine_.restore(snapshot, history.value().log);
    const std::lock_guard lock(oracle_.mutex);
    if (oracle_.ever_forgotten.contains(*id)) return;
    if (files.ok() ? files.value() == oracle_.contents.at(snapshot.tags.at(0))
                   : files.error().kind() == Errc::stopped) {
      return;
    }
    oracle_.wrong.push_back(fmt::format("client {}: restore of {}: {}", number_, snapshot.tags.at(0),
                                        files.ok() ? "other content" : files.error().text()));
  }

  template <typename T>
  bool expect(const Result<T>& result, const std::string& what, std::initializer_list<Errc> allowed) {
    oracle_.tell(number_, what + ": " + (result.ok() ? "ok" : result.error().text()));
    if (result.ok()) return true;
    const Errc kind = result.error().kind();
    const bool excused =
        kind == Errc::stopped || std::find(allowed.begin(), allowed.end(), kind) != allowed.end();
    if (!excused) oracle_.fail(number_, what + ": " + result.error().text());
    return false;
  }

  Oracle& oracle_;
  const std::size_t number_;
  Machine& machine_;
  std::mt19937_64 random_;
};

// A checkpoint stays, with all that its part of the tree needs, until it is abandoned.
void judge_checkpoints(Oracle& oracle, Machine& machine, const repo::History& history) {
  for (const auto& [id, tag] : oracle.checkpoints) {
    if (history.log.abandoned.contains(id)) continue;
    const repo::Snapshot* commit = history.find(id);
    if (commit == nullptr) {
      oracle.fail(99, "checkpoint " + tag + " is gone");
      continue;
    }
    const auto files = machine.restore(*commit, history.log);
    if (!files.ok()) oracle.fail(99, fmt::format("checkpoint {}: {}", tag, files.error().text()));
  }
}

// What must hold when everybody has come to his end.
void judge(Oracle& oracle, Machine& machine) {
  const auto history = machine.repository->history({});
  if (!history.ok()) return oracle.fail(99, history.error().text());
  for (const std::string& why : history.value().unreadable) oracle.fail(99, why);
  judge_checkpoints(oracle, machine, history.value());
  const std::set<TransactionId>& forgotten = history.value().log.forgotten;
  for (const auto& [id, tag] : oracle.reported) {
    if (forgotten.contains(id)) {
      if (!oracle.ever_forgotten.contains(id)) oracle.fail(99, tag + " was forgotten by nobody");
    } else if (history.value().find(id) == nullptr) {
      oracle.fail(99, tag + " was reported as done and is gone");
    }
  }
  for (const repo::Snapshot* snapshot : history.value().snapshots()) {
    const std::string& tag = snapshot->tags.at(0);
    const auto files = machine.restore(*snapshot, history.value().log);
    if (!files.ok()) oracle.fail(99, fmt::format("restore of {}: {}", tag, files.error().text()));
    if (files.ok() && files.value() != oracle.contents.at(tag)) oracle.fail(99, tag + " came back changed");
  }
}

// The last prune, when nobody else is left: nothing is in its way, and nothing useless stays.
void clean_up(Oracle& oracle, Machine& machine) {
  const auto report = machine.prune(thorough());
  if (!report.ok()) return oracle.fail(99, "last prune: " + report.error().text());
  const auto again = flow::plan_prune(*machine.repository, thorough(), {});
  if (!again.ok()) return oracle.fail(99, "plan: " + again.error().text());
  const flow::PrunePlan& plan = again.value();
  if (!plan.nothing_to_do() || !plan.mark.retired.empty() || !plan.mark.log.condemned.empty() ||
      !plan.missing.empty() || plan.bytes_total != plan.bytes_live) {
    for (const auto& [pack, c] : plan.mark.log.condemned) {
      if (plan.mark.log.retired(pack.transaction)) continue;
      oracle.fail(99, fmt::format("still condemned: {}", repo::pack_name(pack, 0)));
    }
    if (!plan.nothing_to_do() || !plan.mark.retired.empty() || !plan.missing.empty() ||
        plan.bytes_total != plan.bytes_live) {
      oracle.fail(99, "the last prune left something:\n" + flow::describe(plan));
    }
  }
}

std::vector<std::string> simulate(std::uint64_t seed, const std::string& cache, bool aloud) {
  World world(seed);
  Oracle oracle;
  std::mt19937_64 random(seed * 977);
  const std::size_t clients = 1 + up_to(random, 4);
  {
    Machine machine(world, world.open(), cache + "/0");
    Actor actor(oracle, 0, machine, random());
    for (std::uint64_t i = 0, n = 1 + up_to(random, 3); i < n; ++i) {
      actor.back_up();
      if (up_to(random, 2) == 0) actor.forget();
    }
    if (up_to(random, 3) == 0) actor.run(2);
  }
  std::vector<Kill> kills;
  if (up_to(random, 2) == 0) kills.push_back({up_to(random, clients), 1 + up_to(random, 150)});
  std::vector<Client> actors;
  for (std::size_t i = 0; i < clients; ++i) {
    actors.push_back([&, i, actor_seed = random()](storage::Storage& store) {
      auto opened = world.open(store);
      if (!opened.ok()) return;  // killed
      Machine machine(world, std::move(opened).value(), fmt::format("{}/{}", cache, i % 3));
      Actor actor(oracle, i, machine, actor_seed);
      actor.run(3);
    });
  }
  const unsigned stay = std::array{0u, 16u, 28u, 31u}[up_to(random, 4)];
  const Trace trace = run_stepped(
      seed, [&] { return storage::open_memory(world.content); }, actors, kills, stay);
  Machine machine(world, world.open(), "");
  judge(oracle, machine);
  clean_up(oracle, machine);
  judge(oracle, machine);
  if (aloud) {
    for (const std::string& line : trace) fmt::print("  {}\n", line);
    for (const std::string& line : oracle.story) fmt::print("{}\n", line);
  }
  return oracle.wrong;
}

std::uint64_t number(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(Simulation, EverySnapshotThatCountsComesBack) {
  const std::uint64_t only = number("HOLDFAST_GC_SEED", 0);
  const std::uint64_t first = only != 0 ? only : number("HOLDFAST_GC_FROM", 1);
  const std::uint64_t usual = std::getenv("HOLDFAST_TEST_LONG") != nullptr ? 10'000 : 300;
  const std::uint64_t count = only != 0 ? 1 : number("HOLDFAST_GC_SEEDS", usual);
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    const ScratchDir cache;
    const auto wrong = simulate(seed, cache.path(), only != 0);
    std::string text;
    for (const std::string& line : wrong) text += line + "\n";
    ASSERT_TRUE(wrong.empty()) << "HOLDFAST_GC_SEED=" << seed << "\n" << text;
  }
}

}  // namespace
}  // namespace holdfast::testing
