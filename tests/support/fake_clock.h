// A clock that stands still but for sleeps, which take no time at all. Thread-safe.
#pragma once

#include <atomic>

#include "base/clock.h"

namespace holdfast::testing {

class FakeClock final : public Clock {
 public:
  std::int64_t now_ns() const override { return kStartNs + ticks_ns_; }
  std::int64_t ticks_ns() const override { return ticks_ns_; }
  bool sleep_ns(std::int64_t duration_ns, std::stop_token stop) override {
    if (stop.stop_requested()) return false;
    if (duration_ns > 0) ticks_ns_ += duration_ns;
    return true;
  }
  void advance_ns(std::int64_t duration_ns) { ticks_ns_ += duration_ns; }

 private:
  static constexpr std::int64_t kStartNs = 1'700'000'000'000'000'000;
  std::atomic<std::int64_t> ticks_ns_ = 0;
};

}  // namespace holdfast::testing
