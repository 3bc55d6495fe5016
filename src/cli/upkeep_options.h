// Options of the commands that look after a repository; see options.h.
#pragma once

#include "cli/options.h"

namespace holdfast::cli {

struct ForgetOptions {
  FilterOptions filter;
  Words ids;
  std::string last, hourly, daily, weekly, monthly, yearly;
  std::string within, within_hourly, within_daily, within_weekly, within_monthly, within_yearly;
  Words keep_tags;
  std::optional<std::string> group_by;
  bool unsafe_allow_remove_all = false;
  bool allow_remove_last_good = false;
  bool compact = false;
  bool prune = false;
  bool undo = false;
  bool dry_run = false;
};

struct UndeleteOptions {
  Words ids;
  bool dry_run = false;
};

struct PruneOptions {
  std::string max_unused;
  bool dead_packs_only = false;
  std::string abort_after;
  std::optional<std::uint64_t> wait_s;
  bool confirm_only = false;
  bool dry_run = false;
};

struct CheckOptions {
  Words snapshots;
  FilterOptions filter;
  bool quick = false;
  bool read_data = false;
  std::string read_data_subset;
  bool without_key = false;
  bool accept_history = false;
  std::string max_duration;
};

struct CopyOptions {
  FilterOptions filter;
  Words ids;
  std::string from_repository, from_repository_file, from_password_file, from_password_command;
  std::string to_domain;
  bool dry_run = false;
};

struct TagOptions {
  FilterOptions filter;
  Words ids;
  Words add, remove, set;
  bool dry_run = false;
};

struct StatsOptions {
  FilterOptions filter;
  Words ids;
  std::string mode = "restore-size";
};

struct CatOptions {
  std::string type;
  std::string id;
};

}  // namespace holdfast::cli
