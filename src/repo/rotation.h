// Rotation of the read key: a new key pair, to which whatever is written from then on is sealed. What was
// written before opens as before. The secret is in every key that can be made anew before the log announces
// it, and old slots go last: at no moment does a key open less than it did, and one that opens less than all
// is one whose password nobody here knows. Needs the admin, read and log rights.
#pragma once

#include "repo/repository.h"

namespace holdfast::repo {

struct RotationPlan {
  LogState log;                                // as the plan saw it
  std::uint32_t epoch = 0;                     // that comes into force
  std::vector<Repository::KeyInfo> renewed;    // the key in use, and recipients that may read
  std::vector<Repository::KeyInfo> left_over;  // copies of those, of a rotation that was cut off: go too
  std::vector<Repository::KeyInfo> stale;      // others that may read: will not open what comes after
};

// Errc::denied where this key lacks a right, or the read key of an epoch, which it could then not hand on.
Result<RotationPlan> plan_rotation(const Repository& repository, std::stop_token stop);

// Errc::conflict where another rotation was faster; nothing has changed then. The repository must be opened
// anew to read what is written afterwards. Names of the new slots, in the order of `renewed`.
Result<std::vector<std::string>> rotate(const Repository& repository, const RotationPlan& plan,
                                        std::stop_token stop);

}  // namespace holdfast::repo
