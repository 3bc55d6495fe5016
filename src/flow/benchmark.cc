#include "flow/benchmark.h"

#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <thread>

#include "base/task_group.h"
#include "chunk/chunk.h"
#include "compress/compress.h"
#include "crypto/aead.h"
#include "crypto/hash.h"
#include "parity/parity.h"

namespace holdfast::flow {

namespace {

// Those of --compression fastest, the default, and slower ones.
constexpr int kLevelFast = 1, kLevelUsual = 3, kLevelBetter = 9, kLevelMax = 19;

constexpr std::int64_t kMeasureNs = 100'000'000;  // each part, at least
constexpr std::size_t kFrameBytes = 64 * kKiB;
constexpr std::size_t kSampleBytes = 4 * kMiB;
constexpr std::uint64_t kLargeBytes = 8 * kMiB;
constexpr std::size_t kSmallObjects = 16;
constexpr std::size_t kSmallBytes = 4 * kKiB;

// Words in no order: compresses about as text does.
Buffer sample(std::size_t bytes) {
  static constexpr std::string_view kWords =
      "the store keeps what it was given and gives it back when asked ";
  Buffer out;
  out.reserve(bytes + kWords.size());
  std::uint64_t state = 1;
  while (out.size() < bytes) {
    state = state * 6364136223846793005 + 1442695040888963407;  // Knuth, MMIX
    const std::size_t from = (state >> 33) % (kWords.size() - 8);
    append(out, as_bytes(kWords).subspan(from, 3 + (state >> 60) % 6));
    out.push_back(static_cast<std::uint8_t>('0' + (state >> 50) % 64));
  }
  out.resize(bytes);
  return out;
}

// Works on all of the data once.
using Work = std::function<void(Bytes data)>;
using MakeWork = std::function<Work()>;  // one for each thread

double rate_of(Clock& clock, unsigned threads, const MakeWork& make, Bytes data, std::stop_token stop) {
  std::atomic<std::uint64_t> bytes{0};
  const std::int64_t began_ns = clock.ticks_ns();
  TaskGroup group(stop);
  for (unsigned i = 0; i < threads; ++i) {
    group.spawn([&](std::stop_token inner) -> Result<void> {
      const Work work = make();
      do {
        work(data);
        bytes += data.size();
      } while (clock.ticks_ns() - began_ns < kMeasureNs && !inner.stop_requested());
      return {};
    });
  }
  static_cast<void>(group.wait().ok());
  const std::int64_t took_ns = std::max<std::int64_t>(clock.ticks_ns() - began_ns, 1);
  return static_cast<double>(bytes) * 1e9 / static_cast<double>(took_ns);
}

Work chunking() {
  Buffer secret(2048);
  for (std::size_t i = 0; i < secret.size(); ++i) secret[i] = static_cast<std::uint8_t>(i * 167 + i / 256);
  const auto table = std::make_shared<const chunk::GearTable>(chunk::gear_table(secret));
  return [table](Bytes data) {
    while (!data.empty()) data = data.subspan(chunk::cut(*table, {}, data, true));
  };
}

Work hashing() {
  return [](Bytes data) {
    for (; !data.empty(); data = data.subspan(std::min<std::size_t>(data.size(), kMiB)))
      static_cast<void>(crypto::hash(data.first(std::min<std::size_t>(data.size(), kMiB))));
  };
}

Work compressing(int level) {
  const auto compressor = std::make_shared<compress::Compressor>();
  const auto out = std::make_shared<Buffer>();
  return [compressor, out, level](Bytes data) {
    for (; !data.empty(); data = data.subspan(std::min<std::size_t>(data.size(), kMiB)))
      static_cast<void>(
          compressor->compress(data.first(std::min<std::size_t>(data.size(), kMiB)), level, *out));
  };
}

Work sealing() {
  const crypto::Key key = crypto::derive_key("holdfast benchmark", {as_bytes("no secret")});
  const auto aead = std::make_shared<crypto::Aead>(key);
  const auto out = std::make_shared<Buffer>(kFrameBytes + crypto::kTagBytes);
  return [aead, out](Bytes data) {
    for (; !data.empty(); data = data.subspan(kFrameBytes)) aead->seal({}, {}, data.first(kFrameBytes), *out);
  };
}

Work adding_parity() {
  constexpr auto frames = static_cast<std::uint32_t>(kSampleBytes / kFrameBytes);
  const auto sums = std::make_shared<parity::Accumulator>(kFrameBytes, parity::layout(frames));
  return [sums](Bytes data) {
    sums->reset(parity::layout(frames));
    for (; !data.empty(); data = data.subspan(kFrameBytes)) sums->add(data.first(kFrameBytes));
  };
}

double ms_between(std::int64_t from_ns, std::int64_t to_ns, std::size_t times) {
  return static_cast<double>(to_ns - from_ns) / 1e6 / static_cast<double>(times);
}

// The benchmark's objects in a store: removed with this, whatever happened.
class Objects {
 public:
  Objects(storage::Storage& storage, Random& random) : storage_(storage) {
    std::array<std::uint8_t, 8> own{};
    random.fill(own);
    prefix_ = "benchmark/" + hex(own) + "/";
  }
  ~Objects() { static_cast<void>(remove().ok()); }
  Objects(const Objects&) = delete;
  Objects& operator=(const Objects&) = delete;

  Result<void> put(Bytes bytes, std::stop_token stop) {
    names_.push_back(prefix_ + std::to_string(names_.size()));  // first: it may be there though put fails
    return storage_.put(names_.back(), bytes, stop);
  }
  Result<void> remove() {
    Result<void> result;
    for (const std::string& name : std::exchange(names_, {})) {
      auto removed = storage_.remove(name, {});
      if (!removed.ok() && result.ok())
        result = std::move(removed).error().context("remove what was measured with");
    }
    return result;
  }
  const std::vector<std::string>& names() const { return names_; }
  const std::string& prefix() const { return prefix_; }

 private:
  storage::Storage& storage_;
  std::string prefix_;
  std::vector<std::string> names_;
};

}  // namespace

Result<std::vector<PartRate>> measure_machine(Clock& clock, unsigned threads, std::stop_token stop) {
  if (threads == 0) threads = std::max(1u, std::thread::hardware_concurrency());
  const Buffer data = sample(kSampleBytes);
  std::vector<PartRate> rates;
  const auto measure = [&](std::string part, const MakeWork& make, bool usual,
                           std::size_t bytes = kSampleBytes) {
    const Bytes some = Bytes(data).first(bytes);
    const double one = rate_of(clock, 1, make, some, stop);
    rates.push_back({std::move(part), one, rate_of(clock, threads, make, some, stop), usual});
  };
  measure("chunking", &chunking, true);
  measure("hashing", &hashing, true);
  for (const int level : {kLevelFast, kLevelUsual, kLevelBetter, kLevelMax}) {
    measure(
        fmt::format("compression {}", level), [level] { return compressing(level); }, level == kLevelUsual,
        kMiB / 2);
  }
  measure("sealing", &sealing, true);
  measure("parity", &adding_parity, true);
  if (stop.stop_requested()) return Error(Errc::stopped, "stopped while measuring");
  return rates;
}

Result<StoreRates> measure_store(storage::Storage& storage, Clock& clock, Random& random,
                                 std::uint64_t size_bytes, std::stop_token stop) {
  Buffer large(std::min(size_bytes, kLargeBytes));
  random.fill(large);
  const Bytes small = Bytes(large).first(std::min(large.size(), kSmallBytes));
  StoreRates rates;
  Objects objects(storage, random);
  std::int64_t began_ns = clock.ticks_ns();
  for (std::size_t i = 0; i < kSmallObjects; ++i) {
    TRY(objects.put(small, stop));
    TRY(storage.barrier(stop));
  }
  rates.put_ms = ms_between(began_ns, clock.ticks_ns(), kSmallObjects);
  began_ns = clock.ticks_ns();
  for (const std::string& name : objects.names()) TRY(storage.get(name, {}, stop));
  rates.get_ms = ms_between(began_ns, clock.ticks_ns(), kSmallObjects);
  began_ns = clock.ticks_ns();
  while (rates.bytes < size_bytes) {
    const Bytes piece = Bytes(large).first(std::min<std::uint64_t>(large.size(), size_bytes - rates.bytes));
    TRY(objects.put(piece, stop));
    rates.bytes += piece.size();
  }
  TRY(storage.barrier(stop));
  const auto bytes = static_cast<double>(rates.bytes);
  rates.put_rate = bytes / std::max(ms_between(began_ns, clock.ticks_ns(), 1) / 1e3, 1e-9);
  began_ns = clock.ticks_ns();
  for (std::size_t i = kSmallObjects; i < objects.names().size(); ++i) {
    const Buffer got = TRY(storage.get(objects.names()[i], {}, stop));
    if (!std::equal(got.begin(), got.end(), large.begin()))
      return Error(Errc::damaged, objects.names()[i] + ": the store gave back something else");
  }
  rates.get_rate = bytes / std::max(ms_between(began_ns, clock.ticks_ns(), 1) / 1e3, 1e-9);
  began_ns = clock.ticks_ns();
  const auto count = [&](const storage::ObjectInfo&) -> Result<void> {
    ++rates.objects;
    return {};
  };
  TRY(storage.list(objects.prefix(), count, stop));
  rates.list_ms = ms_between(began_ns, clock.ticks_ns(), 1);
  TRY(objects.remove());
  return rates;
}

Bottleneck bottleneck(const std::vector<PartRate>& machine, const StoreRates* store) {
  Bottleneck slowest;
  double seconds_a_byte = 0;  // the parts share the processors
  for (const PartRate& part : machine) {
    if (!part.usual || part.all <= 0) continue;
    seconds_a_byte += 1 / part.all;
    if (slowest.rate == 0 || part.all < slowest.rate) slowest = {part.part, part.all};
  }
  if (seconds_a_byte > 0) slowest.rate = 1 / seconds_a_byte;
  if (store != nullptr && (slowest.rate == 0 || store->put_rate < slowest.rate))
    return {"writing to the store", store->put_rate};
  return slowest;
}

}  // namespace holdfast::flow
