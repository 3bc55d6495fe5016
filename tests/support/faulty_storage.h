// A store that fails as asked: by the number of the operation, or at random by seed. One FaultPlan may
// serve several clients. Operations counted: put, barrier, get, stat, list, remove.
#pragma once

#include "storage/storage.h"
#include "tests/support/fault_schedule.h"

namespace holdfast::testing {

enum class StorageFault : unsigned char {
  refused,      // Errc::failed, without effect
  lost_before,  // Errc::unreachable, without effect
  lost_after,   // Errc::unreachable, but it happened
  duplicated,   // it happens twice, and the second answer is given, as by a resend in the network
  damaged,      // a get gives a flipped bit
  truncated,    // a get gives half, as of a store that breaks its contract
};

using FaultPlan = FaultSchedule<StorageFault>;

// `plan` must outlive the storage.
std::unique_ptr<storage::Storage> faulty(std::unique_ptr<storage::Storage> inner, FaultPlan& plan);

}  // namespace holdfast::testing
