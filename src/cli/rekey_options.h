// Options of `holdfast rekey`; see options.h.
#pragma once

#include "cli/options.h"

namespace holdfast::cli {

struct RekeyOptions {
  bool data = false;
  bool dry_run = false;
};

}  // namespace holdfast::cli
