// When a simulation fails, and how: by the number of the operation, or at random by seed. Thread-safe.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <vector>

#include "base/check.h"

namespace holdfast::testing {

template <typename Fault>
class FaultSchedule {
 public:
  // The n-th operation from now on (1 = the next).
  void at(std::uint64_t n, Fault fault) {
    HF_ASSERT(n > 0);
    const std::lock_guard lock(mutex_);
    at_[operations_ + n] = fault;
  }
  // Each operation with a chance of one in `one_in`, any of `faults`; faults at a number go before.
  void at_random(std::uint64_t seed, std::uint64_t one_in, std::vector<Fault> faults) {
    const std::lock_guard lock(mutex_);
    random_.seed(seed);
    one_in_ = one_in;
    faults_ = std::move(faults);
  }
  void clear() {
    const std::lock_guard lock(mutex_);
    at_.clear();
    one_in_ = 0;
  }
  std::uint64_t operations() const {
    const std::lock_guard lock(mutex_);
    return operations_;
  }

  // Counts an operation and tells its fault.
  std::optional<Fault> next() {
    const std::lock_guard lock(mutex_);
    ++operations_;
    const auto planned = at_.find(operations_);
    if (planned != at_.end()) return planned->second;
    if (one_in_ == 0 || random_() % one_in_ != 0) return std::nullopt;
    return faults_[random_() % faults_.size()];
  }

 private:
  mutable std::mutex mutex_;
  std::uint64_t operations_ = 0;
  std::map<std::uint64_t, Fault> at_;
  std::mt19937_64 random_;
  std::uint64_t one_in_ = 0;
  std::vector<Fault> faults_;
};

}  // namespace holdfast::testing
