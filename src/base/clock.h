// The only door to time: SystemClock in the program, a fake in tests. No test sleeps.
#pragma once

#include <cstdint>
#include <stop_token>

namespace holdfast {

class Clock {
 public:
  virtual ~Clock() = default;
  // Wall clock, nanoseconds since 1970-01-01 UTC. For records and display, never for safety.
  virtual std::int64_t now_ns() const = 0;
  // Monotonic nanoseconds from an arbitrary start.
  virtual std::int64_t ticks_ns() const = 0;
  // Sleeps; false where `stop` was requested before the time was over.
  virtual bool sleep_ns(std::int64_t duration_ns, std::stop_token stop) = 0;
};

// Thread-safe; lives for ever.
Clock& system_clock();

}  // namespace holdfast
