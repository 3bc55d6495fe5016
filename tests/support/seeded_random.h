// Randomness that one seed repeats. Thread-safe.
#pragma once

#include <mutex>
#include <random>

#include "base/random.h"

namespace holdfast::testing {

class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : random_(seed) {}
  void fill(MutableBytes out) override {
    const std::lock_guard lock(mutex_);
    for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(random_() >> 32);
  }

 private:
  std::mutex mutex_;  // guards random_
  std::mt19937_64 random_;
};

}  // namespace holdfast::testing
