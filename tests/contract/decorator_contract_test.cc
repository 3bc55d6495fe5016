// The contract for every decorator, over the store in memory.
#include "storage/cache.h"
#include "storage/memory.h"
#include "storage/metrics.h"
#include "storage/posix_disk.h"
#include "storage/retry.h"
#include "storage/throttle.h"
#include "tests/contract/storage_contract.h"
#include "tests/support/fake_clock.h"
#include "tests/support/faulty_storage.h"
#include "tests/support/scratch_dir.h"
#include "tests/support/seeded_random.h"
#include "tests/support/sim_disk.h"

namespace holdfast::storage {

namespace {

using testing::FaultPlan;
using testing::StorageFault;

// Everything that a decorator may need; a wrapping function picks.
struct Parts {
  testing::FakeClock clock;
  testing::SeededRandom random{1};
  testing::FaultPlan faults;
  testing::ScratchDir scratch;
  PosixDisk disk;
  testing::SimDisk sim_disk;
  StorageMetrics metrics;
};

using Wrap = std::function<std::unique_ptr<Storage>(std::unique_ptr<Storage> inner, Parts& parts)>;

class WrappedStore final : public Store {
 public:
  explicit WrappedStore(Wrap wrap) : wrap_(std::move(wrap)) {}
  std::unique_ptr<Storage> client() override { return wrap_(open_memory(content_), parts_); }

 private:
  const Wrap wrap_;
  const std::shared_ptr<MemoryContent> content_ = std::make_shared<MemoryContent>();
  Parts parts_;
};

Subject wrapped(std::string name, Wrap wrap) {
  return {std::move(name), [wrap] { return std::make_unique<WrappedStore>(wrap); }};
}

std::unique_ptr<Storage> retry(std::unique_ptr<Storage> inner, Parts& parts) {
  return retrying(std::move(inner), {}, parts.clock, parts.random);
}

std::unique_ptr<Storage> retry_of_faults(std::unique_ptr<Storage> inner, Parts& parts) {
  parts.faults.at_random(3, 3, {StorageFault::lost_before, StorageFault::lost_after});
  return retry(faulty(std::move(inner), parts.faults), parts);
}

std::unique_ptr<Storage> throttle(std::unique_ptr<Storage> inner, Parts& parts) {
  const Rates rates = {.upload_bytes_per_second = 1000, .download_bytes_per_second = 1000};
  return throttled(std::move(inner), rates, parts.clock);
}

bool any_name(std::string_view) { return true; }

std::unique_ptr<Storage> cache(std::unique_ptr<Storage> inner, Parts& parts) {
  const CachePolicy policy = {.accepts = any_name, .bytes_max = 8 * kKiB, .object_bytes_max = 4 * kKiB};
  return cached(std::move(inner), parts.disk, parts.scratch.path() + "/made/on/demand", policy);
}

std::unique_ptr<Storage> cache_on_failing_disk(std::unique_ptr<Storage> inner, Parts& parts) {
  auto storage = cached(std::move(inner), parts.sim_disk, "/cache", {.accepts = any_name});
  parts.sim_disk.fault_at(1, testing::DiskFault::io_error, /*lasting=*/true);
  return storage;
}

std::unique_ptr<Storage> metrics(std::unique_ptr<Storage> inner, Parts& parts) {
  return metered(std::move(inner), parts.metrics);
}

std::unique_ptr<Storage> all(std::unique_ptr<Storage> inner, Parts& parts) {
  return cache(metrics(throttle(retry_of_faults(std::move(inner), parts), parts), parts), parts);
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(Decorators, StorageContract,
                         ::testing::Values(wrapped("Retry", retry), wrapped("RetryOfFaults", retry_of_faults),
                                           wrapped("Throttle", throttle), wrapped("Cache", cache),
                                           wrapped("CacheOnFailingDisk", cache_on_failing_disk),
                                           wrapped("Metrics", metrics), wrapped("All", all)),
                         subject_name);

}  // namespace holdfast::storage
