// Options of the commands that look into snapshots and measure; see options.h.
#pragma once

#include "cli/options.h"

namespace holdfast::cli {

struct MountOptions {
  FilterOptions filter;
  std::string target;
  Words templates;
  std::string time_template;
  bool allow_other = false;
  bool no_default_permissions = false;
  bool owner_root = false;
  std::optional<std::uint64_t> timeout_s;
};

}  // namespace holdfast::cli
