// How findings are shown in JSON: one form, whichever command found them.
#pragma once

#include "cli/json.h"
#include "flow/check.h"

namespace holdfast::cli {

// {"message_type":TYPE,"severity":"warning"|"unreachable"|"damaged","kind":…,"object":…,"snapshots":[…],
// "message":…,"wanted":…}; `type` where it is a line of its own.
std::string finding_json(const flow::Finding& finding, const char* type = nullptr);
std::string findings_json(const std::vector<flow::Finding>& findings);

}  // namespace holdfast::cli
