// How fast this machine and this store are, part by part, and so what a backup will wait for. The machine's
// parts are measured on text made up for it, in memory; the store with objects of its own below "benchmark/",
// which are removed again, and nothing else is.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "storage/storage.h"

namespace holdfast::flow {

// Bytes a second.
struct PartRate {
  std::string part;   // "chunking", "hashing", "compression 3", "sealing", "parity"
  double one = 0;     // thread
  double all = 0;     // processors
  bool usual = true;  // a backup with default options does this
};
// `threads` 0: one per processor.
Result<std::vector<PartRate>> measure_machine(Clock& clock, unsigned threads, std::stop_token stop);

struct StoreRates {
  std::uint64_t objects = 0, bytes = 0;        // put, and removed again
  double put_ms = 0, get_ms = 0, list_ms = 0;  // of a small object; of all of the benchmark's
  double put_rate = 0, get_rate = 0;           // of large ones, durable
};
// Uses `size_bytes` in the store for a moment.
Result<StoreRates> measure_store(storage::Storage& storage, Clock& clock, Random& random,
                                 std::uint64_t size_bytes, std::stop_token stop);

struct Bottleneck {
  std::string part;  // of a machine, or "writing to the store"
  double rate = 0;   // of a backup of new data that compresses little
};
// `store` may be null.
Bottleneck bottleneck(const std::vector<PartRate>& machine, const StoreRates* store);

}  // namespace holdfast::flow
