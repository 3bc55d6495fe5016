#include "tests/support/stepped_storage.h"

#include <thread>

#include "storage/memory.h"

namespace holdfast::testing {

namespace {

using storage::MemoryContent;
using storage::ObjectInfo;
using storage::open_memory;
using storage::Storage;

// Takes the next free slot of a log a few times, as a compare-and-swap loop does.
void appender(Storage& store, int entries) {
  for (int i = 0; i < entries; ++i) {
    int slot = 0;
    const Result<void> listed = store.list("log/",
                                           [&](const ObjectInfo&) -> Result<void> {
                                             ++slot;
                                             return {};
                                           },
                                           {});
    if (!listed.ok()) return;
    while (true) {
      const Result<void> put = store.put(fmt::format("log/{:03}", slot), {}, {});
      if (put.ok()) break;
      if (put.error().kind() != Errc::exists) return;
      ++slot;
    }
  }
}

struct Outcome {
  Trace trace;
  std::size_t objects = 0;
};

Outcome run(std::uint64_t seed, const std::vector<Kill>& kills = {}) {
  const auto content = std::make_shared<MemoryContent>();
  const Client client = [](Storage& store) { appender(store, 4); };
  Trace trace = run_stepped(
      seed, [&] { return open_memory(content); }, {client, client, client}, kills);
  return {std::move(trace), content->objects.size()};
}

}  // namespace

TEST(SteppedStorage, OneSeedIsOneTrace) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Outcome first = run(seed);
    EXPECT_EQ(first.trace, run(seed).trace);
    EXPECT_EQ(first.objects, 12u);
  }
}

TEST(SteppedStorage, SeedsDiffer) {
  std::set<Trace> traces;
  for (std::uint64_t seed = 0; seed < 20; ++seed) traces.insert(run(seed).trace);
  EXPECT_GT(traces.size(), 15u);
}

TEST(SteppedStorage, SomeSeedFindsTheRace) {
  // Look, then put regardless: a client that takes its look for the truth loses in some interleaving.
  int clashes = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    for (const std::string& line : run(seed).trace) clashes += line.ends_with("exists") ? 1 : 0;
  }
  EXPECT_GT(clashes, 0);
}

TEST(SteppedStorage, AKilledClientDoesNothingMoreAndTheOthersGoOn) {
  for (std::uint64_t call = 1; call <= 8; ++call) {
    const Outcome killed = run(3, {{.client = 1, .call = call}});
    const auto calls = static_cast<std::uint64_t>(
        std::count_if(killed.trace.begin(), killed.trace.end(),
                      [](const std::string& line) { return line.starts_with("1 "); }));
    EXPECT_EQ(calls, call - 1);
    EXPECT_GE(killed.objects, 8u);
    EXPECT_LT(killed.objects, 12u);
    EXPECT_EQ(killed.trace, run(3, {{.client = 1, .call = call}}).trace);
  }
}

TEST(SteppedStorage, AClientOfSeveralThreadsComesToItsEnd) {
  const auto content = std::make_shared<MemoryContent>();
  const Client threads = [](Storage& store) {
    std::vector<std::jthread> workers;
    for (int t = 0; t < 3; ++t) {
      workers.emplace_back([&, t] {
        for (int i = 0; i < 20; ++i) EXPECT_TRUE(store.put(fmt::format("w/{}/{}", t, i), {}, {}).ok());
      });
    }
  };
  const Client single = [](Storage& store) { appender(store, 10); };
  run_stepped(1, [&] { return open_memory(content); }, {threads, single});
  EXPECT_EQ(content->objects.size(), 70u);
}

}  // namespace holdfast::testing
