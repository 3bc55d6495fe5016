// One object of a pack as repair finds it, in this store or in a replica: what is wrong with it, and which of
// its slots nobody can read there. Needs the index secret. Thread-safe.
#pragma once

#include <optional>

#include "flow/check_packs.h"

namespace holdfast::flow {

struct Look {
  std::string wrong;  // "" if nothing
  std::string lost;   // what parity can't replace; "" if nothing
  bool gone = false;  // there is no such object
  std::optional<Error> unreachable;
  std::uint64_t bytes = 0;
  model::Slots lost_slots;  // that parity can't bring back, or that the object has no longer

  bool usable() const { return lost.empty() && !gone && !unreachable; }
};

// All slots of the pack that the log says are there.
model::Slots kept_of(const PackPlan& plan, const repo::LogState& log);

// Reads every frame of that generation's object. `kept` are the slots that it must have. Errors: stopped.
Result<Look> look_at(storage::Storage& storage, const repo::Repository& repository, const PackPlan& plan,
                     std::uint32_t generation, const model::Slots& kept, std::stop_token stop);

}  // namespace holdfast::flow
