#include "cli/backup_input.h"

#include <fmt/core.h>
#include <time.h>
#include <unistd.h>

#include <charconv>

#include "cli/path_lists.h"
#include "cli/wire.h"
#include "model/select.h"
#include "source/files.h"
#include "source/stream.h"
#include "source/threaded.h"

namespace holdfast::cli {

namespace {

template <typename Number>
bool parse_number(std::string_view text, Number& out) {
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, out);
  return error == std::errc() && at == end && !text.empty();
}

Result<model::BackupMode> mode_of(const BackupOptions& options) {
  const int given = int{options.full || options.force} + int{options.incremental} + int{options.differential};
  if (given > 1) return Error(Errc::usage, "--full, --incremental and --differential exclude each other");
  if (options.full || options.force) return model::BackupMode::full;
  return options.differential ? model::BackupMode::differential : model::BackupMode::incremental;
}

Result<unsigned> workers_of(const Context& context, const BackupOptions& options) {
  std::uint64_t count = options.read_concurrency.value_or(0);
  const auto variable = context.environment.get("HOLDFAST_READ_CONCURRENCY");
  if (!options.read_concurrency && variable && !parse_number(*variable, count)) {
    return Error(Errc::usage, fmt::format("HOLDFAST_READ_CONCURRENCY: '{}' is not a number", *variable));
  }
  const bool given = options.read_concurrency || variable;
  if (given && (count == 0 || count > 256)) return Error(Errc::usage, "--read-concurrency takes 1 to 256");
  return static_cast<unsigned>(count);
}

}  // namespace

Result<model::Time> parse_time(const std::string& text) {
  for (const char* form : {"%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d"}) {
    std::tm civil{};
    const char* end = ::strptime(text.c_str(), form, &civil);
    if (end == nullptr || *end != '\0') continue;
    civil.tm_isdst = -1;
    return model::Time{::mktime(&civil), 0};
  }
  return Error(Errc::usage, fmt::format("'{}' is not a time", text)).hint("write 2026-08-01 12:34:56");
}

Result<std::uint64_t> parse_size(const std::string& text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
  double number = 0;
  std::string unit = text.substr(digits);
  if (unit.ends_with("iB")) {
    unit.resize(unit.size() - 2);
  } else if (unit.ends_with('B') || unit.ends_with('b')) {
    unit.pop_back();
  }
  static constexpr std::string_view kUnits = "kmgtp";
  double factor = 1;
  bool good = parse_number(std::string_view(text).substr(0, digits), number) && unit.size() <= 1;
  if (good && !unit.empty()) {
    const std::size_t at = kUnits.find(static_cast<char>(unit.front() | 0x20));
    good = at != kUnits.npos;
    for (std::size_t i = 0; good && i <= at; ++i) factor *= 1024;
  }
  if (!good || !(number * factor < 9e18)) {
    return Error(Errc::usage, fmt::format("'{}' is not a size", text)).hint("write 512K, 10M, 1.5G");
  }
  return static_cast<std::uint64_t>(number * factor);
}

// Not model::Duration, whose shortest unit is the hour and whose m are months.
Result<std::uint64_t> parse_interval(const std::string& text) {
  constexpr std::uint64_t kHoursMax = 100'000;
  constexpr std::pair<char, std::uint64_t> kUnits[] = {{'h', 3600}, {'m', 60}, {'s', 1}};
  if (text == "off" || text == "0") return std::uint64_t{0};
  std::uint64_t seconds = 0;
  std::string_view rest = text;
  for (const auto& [unit, factor] : kUnits) {
    const std::size_t end = rest.find(unit);
    if (end == rest.npos) continue;
    std::uint64_t number = 0;
    if (!parse_number(rest.substr(0, end), number) || number > kHoursMax * 3600 / factor) break;
    seconds += number * factor;
    rest.remove_prefix(end + 1);
  }
  if (!text.empty() && rest.empty()) return seconds;
  return Error(Errc::usage, fmt::format("'{}' is not an interval", text))
      .hint("write seconds, minutes and hours as in 90s, 15m or 1h30m; or off");
}

Result<flow::Compression> parse_compression(const std::string& text) {
  using Mode = flow::Compression::Mode;
  if (text.empty() || text == "auto") return flow::Compression{};
  if (text == "off") return flow::Compression{Mode::off, 0};
  if (text == "fastest") return flow::Compression{Mode::level, 1};
  if (text == "max") return flow::Compression{Mode::level, 19};
  int level = 0;
  if (text.starts_with("zstd:") && parse_number(std::string_view(text).substr(5), level) && level >= 1 &&
      level <= 22) {
    return flow::Compression{Mode::level, level};
  }
  return Error(Errc::usage, fmt::format("'{}' is not a compression", text))
      .hint("use auto, off, fastest, max, or zstd:N with N from 1 to 22");
}

Result<flow::BackupSpec> backup_spec(const Context& context, const BackupOptions& options) {
  flow::BackupSpec spec;
  spec.host = options.host.empty() ? host_name(context.environment) : options.host;
  spec.user = user_name();
  spec.program = program_version();
  for (const std::string& list : options.tags) {
    for (const std::string& tag : model::parse_tag_list(list)) {
      if (!tag.empty()) spec.tags.push_back(tag);
    }
  }
  if (!options.time.empty()) spec.time = TRY_AS(parse_time(options.time), "--time");
  const std::int64_t seconds =
      spec.time ? spec.time->seconds : system_clock().now_ns() / std::int64_t{1'000'000'000};
  spec.zone_minutes = model::local_time(seconds).zone_seconds / 60;
  spec.mode = TRY(mode_of(options));
  const auto variable = context.environment.get("HOLDFAST_COMPRESSION");
  if (!options.compression.empty()) {
    spec.compression = TRY_AS(parse_compression(options.compression), "--compression");
  } else if (variable) {
    spec.compression = TRY_AS(parse_compression(*variable), "HOLDFAST_COMPRESSION");
  }
  if (!options.checkpoint_interval.empty()) {
    spec.checkpoint_interval_s = TRY_AS(parse_interval(options.checkpoint_interval), "--checkpoint-interval");
  }
  spec.allow_shrink = options.allow_empty_source;
  spec.dry_run = options.dry_run;
  spec.skip_if_unchanged = options.skip_if_unchanged;
  spec.workers = TRY(workers_of(context, options));
  return spec;
}

Result<source::Filters> filters_of(const BackupOptions& options) {
  source::Filters filters;
  filters.rules = TRY(rules_of(options.patterns));
  if (options.no_ignore_files) filters.ignore_file.clear();
  filters.caches = options.exclude_caches;
  filters.nodump = options.exclude_nodump;
  for (const std::string& text : options.exclude_if_present) filters.tags.push_back(source::parse_tag(text));
  if (!options.exclude_larger_than.empty()) {
    filters.larger_than_bytes = TRY_AS(parse_size(options.exclude_larger_than), "--exclude-larger-than");
  }
  filters.one_file_system = options.one_file_system;
  return filters;
}

namespace {

Result<Input> open_files(const BackupOptions& options, flow::BackupSpec& spec) {
  source::FileOptions files;
  files.roots = TRY(listed_paths(options));
  if (files.roots.empty()) {
    return Error(Errc::usage, "nothing to back up is named")
        .hint("give files or folders, --files-from or --stdin");
  }
  files.filters = TRY(filters_of(options));
  spec.excludes = TRY(pattern_texts(options.patterns));
  Input input;
  if (!options.no_scan) input.ahead = TRY(source::FileSource::make(files));
  auto source = TRY(source::FileSource::make(std::move(files)));
  for (const source::Root& root : source->roots()) spec.paths.push_back("/" + root.path);
  input.source = std::make_unique<source::ThreadedSource>(std::move(source));
  return input;
}

Result<std::unique_ptr<source::StreamSource>> open_stream(const BackupOptions& options,
                                                          flow::BackupSpec& spec) {
  if (options.from_stdin && !options.paths.empty()) return Error(Errc::usage, "--stdin takes no paths");
  std::string path = options.stdin_filename;
  while (path.starts_with('/')) path.erase(0, 1);
  spec.paths = {"/" + path};
  spec.remember = false;
  if (options.from_command) return source::StreamSource::from_command(path, options.paths, system_clock());
  return source::StreamSource::from_descriptor(path, Fd(::dup(STDIN_FILENO)), system_clock());
}

}  // namespace

Result<Input> open_input(const BackupOptions& options, flow::BackupSpec& spec) {
  if (options.from_stdin && options.from_command) {
    return Error(Errc::usage, "--stdin and --stdin-from-command exclude each other");
  }
  if (!options.from_stdin && !options.from_command) return open_files(options, spec);
  Input input;
  input.source = TRY(open_stream(options, spec));
  return input;
}

}  // namespace holdfast::cli
