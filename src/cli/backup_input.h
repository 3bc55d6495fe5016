// What a backup reads, as the command line says: files and folders under filters, or one stream.
#pragma once

#include <memory>

#include "cli/command.h"
#include "flow/backup.h"
#include "source/filters.h"
#include "source/source.h"

namespace holdfast::cli {

// Everything about the snapshot but its paths. Errc::usage for a time, a compression, or options that exclude
// each other.
Result<flow::BackupSpec> backup_spec(const Context& context, const BackupOptions& options);

// The options that leave files out, and what they say.
void declare_filters(Syntax& syntax, BackupOptions& options);
Result<source::Filters> filters_of(const BackupOptions& options);

struct Input {
  std::unique_ptr<source::Source> source;
  std::unique_ptr<source::Source> ahead;  // gives the same, to be counted; null for streams
};
// Opens it, and completes `spec` by the paths and patterns.
Result<Input> open_input(const BackupOptions& options, flow::BackupSpec& spec);

// "2026-08-01 12:34:56", "2026-08-01T12:34:56", "2026-08-01"; in the zone of this process.
Result<model::Time> parse_time(const std::string& text);
// "10M", "1.5G", "123": powers of 1024.
Result<std::uint64_t> parse_size(const std::string& text);
// "90s", "15m", "1h30m": seconds; "0" and "off" are 0.
Result<std::uint64_t> parse_interval(const std::string& text);
Result<flow::Compression> parse_compression(const std::string& text);

}  // namespace holdfast::cli
