// Options of the commands that look into snapshots, and of what measures; see options.h.
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

struct DuOptions {
  FilterOptions filter;
  std::string snapshot;
  Words paths;
  std::optional<std::uint64_t> depth;
  bool human_readable = false;
  bool all = false;
  bool stored = false;
  bool only_here = false;
};

struct BenchmarkOptions {
  std::string size;
  bool no_store = false;
  bool dry_run = false;
};

}  // namespace holdfast::cli
