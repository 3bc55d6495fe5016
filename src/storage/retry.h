// Tries again what failed retryably (store unreachable, busy), with exponential back-off and full jitter,
// until it works, fails for good, or the budget of time is spent; then the last error is returned.
//
// A put that failed retryably may have happened. Where the next try is answered `exists`, the object is
// read back: equal bytes mean that our put succeeded. So two writers that put equal bytes under one
// name can both be told of success; whoever must know who won puts something of his own into the object.
// list visits each object once even where it had to begin anew.
#pragma once

#include "storage/backoff.h"
#include "storage/storage.h"

namespace holdfast::storage {

// `clock` and `random` must outlive the storage.
std::unique_ptr<Storage> retrying(std::unique_ptr<Storage> inner, RetryPolicy policy, Clock& clock,
                                  Random& random);

}  // namespace holdfast::storage
