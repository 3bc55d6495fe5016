// Options of the command that mends a repository; see options.h.
#pragma once

#include "cli/options.h"

namespace holdfast::cli {

struct RepairOptions {
  std::string what;
  Words ids;
  std::string from;
  bool dry_run = false;
};

}  // namespace holdfast::cli
