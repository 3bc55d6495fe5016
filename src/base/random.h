// The only door to randomness: the system's generator in the program, a seeded one in tests.
#pragma once

#include "base/bytes.h"

namespace holdfast {

class Random {
 public:
  virtual ~Random() = default;
  // Fills `out` with unpredictable bytes. Does not fail: the system's generator aborts the process
  // where the kernel gives none.
  virtual void fill(MutableBytes out) = 0;

  template <std::size_t N>
  std::array<std::uint8_t, N> array() {
    std::array<std::uint8_t, N> out;
    fill(out);
    return out;
  }
};

// getrandom(2). Thread-safe; lives for ever.
Random& system_random();

}  // namespace holdfast
