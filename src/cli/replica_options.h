// Options of the commands about copies of a repository; see options.h.
#pragma once

#include "cli/options.h"

namespace holdfast::cli {

struct MirrorOptions {
  std::string to;
  bool verify = false;
  bool remove = false;
  bool dry_run = false;
};

}  // namespace holdfast::cli
