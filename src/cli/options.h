// What the command line says, as plain values: the global options and one struct a command. Defaults are
// those of the program; texts are not yet looked at. Commands that look after a repository: upkeep_options.h.
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
  std::string key_file;
  std::string cache_dir;
  bool no_cache = false;
  std::string limit_upload, limit_download;
  std::string ca_file;
  Words store_options;  // "s3.region=…"
  bool json = false;
  bool quiet = false;
  int verbose = 0;
};

// Which snapshots a command looks at.
struct FilterOptions {
  Words hosts;
  Words paths;
  Words tags;
  Words domains;
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
  bool exclude_nodump = false;
  Words exclude_if_present;
  std::string exclude_larger_than;
  bool one_file_system = false;
  bool from_stdin = false;
  bool from_command = false;
  std::string stdin_filename = "stdin";
  Words tags;
  std::string domain;
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
  bool newest_first = false;
  bool dry_run = false;
};

struct VersionOptions {};
struct CompletionOptions {
  std::string shell;
};
struct ManOptions {
  std::string directory;
};

}  // namespace holdfast::cli
