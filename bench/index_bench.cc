// The deduplication index at size: building, bytes of disk and memory a chunk, look-ups a second.
//   index_bench [--records=1000000] [--folder=/tmp] [benchmark options]
// Peak memory is that of the whole process, building included; run one size per process.
#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string_view>

#include "base/clock.h"
#include "repo/index.h"

namespace holdfast::repo {
namespace {

std::uint64_t peak_resident_bytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * kKiB;
}

// Without the pages of shared libraries and of other files.
std::uint64_t anonymous_bytes() {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.rfind("RssAnon:", 0) == 0) return std::strtoull(line.c_str() + 8, nullptr, 10) * kKiB;
  }
  return 0;
}

// SplitMix64 (Steele, Lea, Flood 2014): a bijection, so keys of different numbers differ.
std::uint64_t scramble(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

// As of a fleet that writes packs of 60 chunks and commits every 100 packs.
IndexRecord record_of(std::uint64_t number) {
  IndexRecord record;
  const std::uint64_t halves[2] = {scramble(number), scramble(~number)};
  std::memcpy(record.key.data(), halves, sizeof halves);
  record.address.pack.transaction = {number / 6000 % 20, static_cast<std::uint32_t>(number / 120'000)};
  record.address.pack.pack = static_cast<std::uint32_t>(number / 60 % 100);
  record.address.slot = static_cast<std::uint32_t>(number % 60);
  record.length = 256 * 1024 + static_cast<std::uint32_t>(scramble(number) % (2 * kMiB));
  return record;
}

class World {
 public:
  World(std::uint64_t records, const std::string& folder) : records_(records) {
    std::string pattern = folder + "/index-bench-XXXXXX";
    HF_ASSERT(::mkdtemp(pattern.data()) != nullptr);
    folder_ = pattern;
    index_ = Index::open(folder_, crypto::Key());
  }
  ~World() {
    index_.reset();
    std::filesystem::remove_all(folder_);
  }

  void build() {
    const std::int64_t start = system_clock().ticks_ns();
    Index::Addition addition = index_->addition();
    for (std::uint64_t i = 0; i < records_; ++i) addition.put(record_of(i));
    const bool done = addition.commit({});
    HF_ASSERT(done);
    report("built", system_clock().ticks_ns() - start);
  }

  void merge() {
    const std::int64_t start = system_clock().ticks_ns();
    const bool done = index_->merge(Index::Merge::all);
    HF_ASSERT(done);
    report("rewritten", system_clock().ticks_ns() - start);
  }

  void report(const char* what, std::int64_t elapsed_ns) const {
    const IndexUsage usage = index_->usage();
    const auto records = static_cast<double>(records_);
    std::printf(
        "%-10s %.1f s, %.2f M records/s; a chunk: disk %.2f B, filters %.3f B, anonymous memory now %.3f B, "
        "peak resident %.3f B (%.1f MB)\n",
        what, static_cast<double>(elapsed_ns) / 1e9, records * 1e3 / static_cast<double>(elapsed_ns),
        static_cast<double>(usage.bytes_disk) / records, static_cast<double>(usage.bytes_resident) / records,
        static_cast<double>(anonymous_bytes()) / records,
        static_cast<double>(peak_resident_bytes()) / records,
        static_cast<double>(peak_resident_bytes()) / 1e6);
  }

  std::uint64_t records() const { return records_; }
  const Index& index() const { return *index_; }

 private:
  const std::uint64_t records_;
  std::string folder_;
  std::unique_ptr<Index> index_;
};

// Random look-ups; `foreign`: of chunks that aren't there.
void find(benchmark::State& state, const World& world, bool foreign) {
  std::mt19937_64 engine(static_cast<std::uint64_t>(state.thread_index()) + 1);
  std::uint64_t found = 0;
  for (auto _ : state) {
    const std::uint64_t number = engine() % world.records() + (foreign ? world.records() : 0);
    found += world.index().find(record_of(number).key) ? 1U : 0U;
  }
  if (foreign ? found != 0 : found != static_cast<std::uint64_t>(state.iterations()))
    state.SkipWithError("wrong");
  state.SetItemsProcessed(state.iterations());
}

// Sorted batches of 65,536 chunks that are there.
void find_batch(benchmark::State& state, const World& world) {
  std::mt19937_64 engine(7);
  std::vector<IndexKey> keys(65'536);
  for (auto _ : state) {
    state.PauseTiming();
    for (IndexKey& key : keys) key = record_of(engine() % world.records()).key;
    state.ResumeTiming();
    std::sort(keys.begin(), keys.end());
    benchmark::DoNotOptimize(world.index().find_batch(keys));
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(keys.size()));
}

int run(int argc, char** argv) {
  std::uint64_t records = 1'000'000;
  std::string folder = std::filesystem::temp_directory_path();
  std::vector<char*> rest;
  for (int i = 0; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument.rfind("--records=", 0) == 0) {
      records = std::strtoull(argv[i] + 10, nullptr, 10);
    } else if (argument.rfind("--folder=", 0) == 0) {
      folder = argument.substr(9);
    } else {
      rest.push_back(argv[i]);
    }
  }
  int count = static_cast<int>(rest.size());
  benchmark::Initialize(&count, rest.data());
  if (records == 0 || benchmark::ReportUnrecognizedArguments(count, rest.data())) return 2;
  World world(records, folder);
  world.build();
  benchmark::RegisterBenchmark("find/hit", find, std::cref(world), false)
      ->Threads(1)
      ->Threads(2)
      ->UseRealTime();
  benchmark::RegisterBenchmark("find/miss", find, std::cref(world), true)
      ->Threads(1)
      ->Threads(2)
      ->UseRealTime();
  benchmark::RegisterBenchmark("find_batch", find_batch, std::cref(world))->UseRealTime();
  benchmark::RunSpecifiedBenchmarks();
  world.report("looked up", 1);
  world.merge();
  return 0;
}

}  // namespace
}  // namespace holdfast::repo

int main(int argc, char** argv) { return holdfast::repo::run(argc, argv); }
