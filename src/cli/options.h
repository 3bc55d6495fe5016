// What the command line says, as plain values: the global options and one struct a command. Defaults are
// those of the program; texts are not yet looked at.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace holdfast::cli {

using Words = std::vector<std::string>;

struct GlobalOptions {
  std::string repository;
  std::string repository_file;
  std::string password_file;
  std::string password_command;
  std::string cache_dir;
  bool no_cache = false;
  std::string limit_upload, limit_download;
  bool json = false;
  bool quiet = false;
  int verbose = 0;
};

// Which snapshots a command looks at.
struct FilterOptions {
  Words hosts;
  Words paths;
  Words tags;
};

struct InitOptions {
  bool dry_run = false;
  std::string like;  // another repository to share chunking with
  std::string like_password_file;
};

struct BackupOptions {
  Words paths;
  Words files_from, files_from_verbatim, files_from_raw;
  Words patterns;  // "--exclude=…", "--iexclude=…", "--include=…", "--exclude-file=…", in order
  bool no_ignore_files = false;
  bool exclude_caches = false;
  Words exclude_if_present;
  std::string exclude_larger_than;
  bool one_file_system = false;
  bool from_stdin = false;
  bool from_command = false;
  std::string stdin_filename = "stdin";
  Words tags;
  std::string host;
  std::string time;
  bool full = false, incremental = false, differential = false, force = false;
  std::string compression;
  bool allow_empty_source = false;
  bool skip_if_unchanged = false;
  bool no_scan = false;
  bool dry_run = false;
  std::optional<std::uint64_t> read_concurrency;
  std::string checkpoint_interval;
};

struct SnapshotsOptions {
  FilterOptions filter;
  Words ids;
  std::optional<std::uint64_t> latest;
  std::string group_by;
  bool compact = false;
  bool forgotten = false;
};

struct LsOptions {
  FilterOptions filter;
  std::string snapshot;
  Words paths;
  bool long_format = false;
  bool human_readable = false;
  bool recursive = false;
};

struct FindOptions {
  FilterOptions filter;
  Words patterns;
  Words snapshots;
  bool ignore_case = false;
  bool long_format = false;
  bool human_readable = false;
  bool reverse = false;
  std::string newest, oldest;
  std::string type;
};

struct DiffOptions {
  std::string from, to;
  bool metadata = false;
};

struct DumpOptions {
  FilterOptions filter;
  std::string snapshot;
  std::string path;
  std::string target;
  std::string archive;
};

struct RestoreOptions {
  FilterOptions filter;
  std::string snapshot;
  std::string target;
  Words patterns;  // "--include=…", "--exclude=…", …, in order
  std::string overwrite;
  bool remove_others = false;
  bool numeric_owner = false;
  bool sparse = false;
  bool verify = false;
  bool dry_run = false;
};

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
  bool dry_run = false;
};

struct CheckOptions {
  bool quick = false;
  bool read_data = false;
  std::string read_data_subset;
  bool without_key = false;
};

struct CopyOptions {
  FilterOptions filter;
  Words ids;
  std::string from_repository, from_repository_file, from_password_file, from_password_command;
  bool dry_run = false;
};

struct TagOptions {
  FilterOptions filter;
  Words ids;
  Words add, remove, set;
  bool dry_run = false;
};

struct KeyOptions {
  std::string action;
  std::string id;
  std::string new_password_file;
  std::string label;
  std::string user, host;
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

struct VersionOptions {};
struct CompletionOptions {
  std::string shell;
};
struct ManOptions {
  std::string directory;
};

}  // namespace holdfast::cli
