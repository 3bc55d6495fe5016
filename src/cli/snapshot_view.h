// How snapshots are shown: a row of the table, an object of JSON in restic's words.
#pragma once

#include <string>

#include "cli/json.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/syntax.h"
#include "flow/snapshot_list.h"

namespace holdfast::cli {

JsonObject snapshot_json(const repo::History& history, const repo::Snapshot& snapshot);

// Bytes and entries that a restore of it gives back.
std::uint64_t total_bytes(const repo::Snapshot& snapshot);
std::uint64_t total_entries(const repo::Snapshot& snapshot);

// "snapshot 4bba301e of [/home] at 2026-08-01T12:34:56+02:00 by ann@host".
std::string snapshot_line(const repo::Snapshot& snapshot);

// Where a command takes [SNAPSHOT] [PATH …]: a first word that begins with '/' is a path, and the snapshot is
// the latest.
void default_to_latest(std::string& snapshot, Words& paths);
// A path below another, either of which may be empty; without '/' at either end of what is added.
std::string joined_path(std::string top, std::string_view path);

void declare_filter(Syntax& syntax, FilterOptions& options);
model::Filter filter_of(const FilterOptions& options);

}  // namespace holdfast::cli
