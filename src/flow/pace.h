// Pace: when a leg of a run (leg.h) is to end with a checkpoint. After it the source is walked again from its
// beginning, so one is due only where that costs little, however large the source: the walk was a small part
// of the leg's time, and walking again to where the last leg had been a smaller one. One thread.
#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"

namespace holdfast::flow {

class Pace {
 public:
  // `interval_ns` 0: never due. `again`: an earlier leg has walked a part.
  Pace(const Clock& clock, std::int64_t interval_ns, bool again);

  // Asked before each step of the walk, and told after it.
  bool due();
  void walked();
  // The walk is where the last leg had been.
  void resumed();
  // Nothing was worth a checkpoint: not due before another interval.
  void postpone() { since_ns_ = now_ns_; }

 private:
  const Clock& clock_;
  const std::int64_t interval_ns_;
  const std::int64_t began_ns_;
  std::int64_t since_ns_;  // from when the interval counts
  std::int64_t now_ns_;    // at the last due()
  std::int64_t walked_ns_ = 0;
  std::uint64_t steps_ = 0;
  std::optional<std::int64_t> again_ns_;  // what it took to be where the last leg had been
};

}  // namespace holdfast::flow
