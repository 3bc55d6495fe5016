// A store that fails as asked: by the number of the operation, or at random by seed. One FaultPlan may
// serve several clients. Operations counted: put, barrier, get, stat, list, remove.
#pragma once

#include <mutex>
#include <random>

#include "storage/storage.h"

namespace holdfast::testing {

enum class StorageFault : unsigned char {
  refused,      // Errc::failed, without effect
  lost_before,  // Errc::unreachable, without effect
  lost_after,   // Errc::unreachable, but it happened
  duplicated,   // it happens twice, and the second answer is given, as by a resend in the network
  damaged,      // a get gives a flipped bit
  truncated,    // a get gives half, as of a store that breaks its contract
};

class FaultPlan {
 public:
  // The n-th operation from now on (1 = the next).
  void at(std::uint64_t n, StorageFault fault);
  // Each operation with a chance of one in `one_in`, any of `faults`; faults at a number go before.
  void at_random(std::uint64_t seed, std::uint64_t one_in, std::vector<StorageFault> faults);
  void clear();
  std::uint64_t operations() const;

  // Counts an operation and tells its fault.
  std::optional<StorageFault> next();

 private:
  mutable std::mutex mutex_;
  std::uint64_t operations_ = 0;
  std::map<std::uint64_t, StorageFault> at_;
  std::mt19937_64 random_;
  std::uint64_t one_in_ = 0;
  std::vector<StorageFault> faults_;
};

// `plan` must outlive the storage.
std::unique_ptr<storage::Storage> faulty(std::unique_ptr<storage::Storage> inner, FaultPlan& plan);

}  // namespace holdfast::testing
