// Tries again what failed retryably (store unreachable, busy), with exponential back-off and full jitter,
// until it works, fails for good, or the budget of time is spent; then the last error is returned.
//
// A put that failed retryably may have happened. Where the next try is answered `exists`, the object is
// read back: equal bytes mean that our put succeeded. So two writers that put equal bytes under one
// name can both be told of success; whoever must know who won puts something of his own into the object.
// list visits each object once even where it had to begin anew.
#pragma once

#include "base/clock.h"
#include "base/random.h"
#include "storage/storage.h"

namespace holdfast::storage {

struct RetryPolicy {
  std::int64_t first_delay_ns = 200'000'000;
  std::int64_t delay_max_ns = 30'000'000'000;
  std::int64_t budget_ns = 900'000'000'000;  // of one call, waits and tries; no try begins after it
};

// `clock` and `random` must outlive the storage.
std::unique_ptr<Storage> retrying(std::unique_ptr<Storage> inner, RetryPolicy policy, Clock& clock,
                                  Random& random);

}  // namespace holdfast::storage
