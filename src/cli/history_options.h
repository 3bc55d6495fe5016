// Options of the commands about what became of files over the snapshots; see options.h.
#pragma once

#include "cli/options.h"

namespace holdfast::cli {

struct LogOptions {
  FilterOptions filter;
  std::string path;
  bool human_readable = false;
};

struct ExplainOptions {
  std::string path;
  BackupOptions backup;  // what leaves out; and the paths that it names, by --of
  bool no_snapshots = false;
};

struct RewriteOptions {
  FilterOptions filter;
  Words ids;
  Words patterns;  // "--exclude=…", "--iexclude=…", "--exclude-file=…", in order
  std::string new_host, new_time;
  Words new_tags;
  bool forget = false;
  bool dry_run = false;
};

struct DoctorOptions {
  bool no_write = false;
};

}  // namespace holdfast::cli
