// When a call that failed is tried again: after waits that grow, with full jitter, within a budget of time.
#pragma once

#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"

namespace holdfast::storage {

struct RetryPolicy {
  std::int64_t first_delay_ns = 200'000'000;
  std::int64_t delay_max_ns = 30'000'000'000;
  std::int64_t budget_ns = 900'000'000'000;  // of one call, waits and tries; no try begins after it
};

// The waits between the tries of one call, which begins when this is made. One thread.
class Backoff {
 public:
  // All must outlive it.
  Backoff(const RetryPolicy& policy, Clock& clock, Random& random)
      : policy_(policy), clock_(clock), random_(random), end_ns_(clock.ticks_ns() + policy.budget_ns) {}

  // True, after a wait, where a call that failed with `error` should be tried again.
  bool again(const Error& error, const std::stop_token& stop);

 private:
  std::int64_t delay_ns() const;

  const RetryPolicy& policy_;
  Clock& clock_;
  Random& random_;
  const std::int64_t end_ns_;
  int failures_ = 0;
};

}  // namespace holdfast::storage
