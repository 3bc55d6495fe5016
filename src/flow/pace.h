// Pace: when a run is to commit a checkpoint. After it the source is walked again from its beginning, so one
// is due only once the walk has been a small part of the time: then walking again to where it was costs
// little, however large the source. One thread.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace holdfast::flow {

class Pace {
 public:
  // `interval_ns` 0: never due.
  Pace(const Clock& clock, std::int64_t interval_ns);

  // Asked before each step of the walk, and told after it.
  bool due();
  void walked();
  // Nothing was worth a checkpoint: not due before another interval.
  void postpone();

 private:
  const Clock& clock_;
  const std::int64_t interval_ns_;
  const std::int64_t began_ns_;
  std::int64_t since_ns_;  // from when the interval counts
  std::int64_t now_ns_;    // at the last due()
  std::int64_t walked_ns_ = 0;
  std::uint64_t steps_ = 0;
};

}  // namespace holdfast::flow
