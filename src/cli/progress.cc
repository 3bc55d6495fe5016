#include "cli/progress.h"

#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <charconv>

#include "cli/json.h"

namespace holdfast::cli {

namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr double kPerSecondMax = 60;
// Redrawn lines: often enough to look alive, rare enough to cost nothing.
constexpr std::int64_t kTerminalIntervalNs = kSecondNs / 10;
constexpr std::int64_t kJsonIntervalNs = kSecondNs;

std::int64_t interval_ns(const ProgressOptions& options) {
  if (options.quiet) return 0;
  if (options.per_second)
    return *options.per_second == 0 ? 0 : static_cast<std::int64_t>(1e9 / *options.per_second);
  if (options.json) return kJsonIntervalNs;
  return options.terminal ? kTerminalIntervalNs : 0;
}

std::size_t terminal_columns(int fd) {
  winsize size{};
  return ::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

void say(std::FILE* to, const std::string& line) {
  fmt::print(to, "{}\n", line);
  std::fflush(to);
}

}  // namespace

Result<ProgressOptions> progress_options(const Context& context) {
  ProgressOptions options;
  options.json = context.global.json;
  options.quiet = context.global.quiet;
  options.verbose = context.global.verbose;
  options.terminal = ::isatty(context.out.fd()) == 1;
  const auto text = context.environment.get("HOLDFAST_PROGRESS_FPS");
  if (!text) return options;
  double value = 0;
  const char* const end = text->data() + text->size();
  const auto [at, error] = std::from_chars(text->data(), end, value);
  if (error != std::errc() || at != end || !(value >= 0 && value <= kPerSecondMax)) {
    return Error(Errc::usage, fmt::format("HOLDFAST_PROGRESS_FPS: '{}' is not a number from 0 to 60", *text));
  }
  options.per_second = value;
  return options;
}

Progress::Progress(ProgressOptions options, Clock& clock, Output& out, Signals& signals)
    : options_(std::move(options)),
      clock_(clock),
      out_(out),
      signals_(signals),
      started_ns_(clock.ticks_ns()),
      interval_ns_(interval_ns(options_)),
      due_ns_(started_ns_ + interval_ns_) {
  signals_.on_progress_wanted([this] { wanted_ = true; });
}

Progress::~Progress() {
  signals_.on_progress_wanted({});
  finish();
}

void Progress::progress(const flow::Progress& progress, std::string_view current) {
  const bool wanted = wanted_.exchange(false);
  if (!wanted) {
    if (interval_ns_ == 0) return;
    const std::int64_t now = clock_.ticks_ns();
    std::int64_t due = due_ns_.load();
    if (now < due || !due_ns_.compare_exchange_strong(due, now + interval_ns_)) return;
  }
  const std::lock_guard lock(mutex_);
  last_ = progress;
  current_ = current.empty() ? "" : whole(current);
  show();
}

std::uint64_t Progress::elapsed_seconds() const {
  return static_cast<std::uint64_t>((clock_.ticks_ns() - started_ns_) / kSecondNs);
}

// By bytes, which is what takes the time; only once the whole is known.
std::optional<std::uint64_t> Progress::remaining_seconds() const {
  if (last_.bytes_total == 0 || last_.bytes_done == 0 || last_.bytes_done > last_.bytes_total)
    return std::nullopt;
  const double elapsed = static_cast<double>(clock_.ticks_ns() - started_ns_) / 1e9;
  const auto done = static_cast<double>(last_.bytes_done);
  return static_cast<std::uint64_t>(elapsed * (static_cast<double>(last_.bytes_total) - done) / done);
}

// The total is what there was last time, or when it was counted: more may have come.
double Progress::share_done() const {
  if (last_.bytes_total == 0) return 0;
  return std::min(1.0, static_cast<double>(last_.bytes_done) / static_cast<double>(last_.bytes_total));
}

std::string Progress::status_line() const {
  std::string line = fmt::format("[{}] ", duration_text(elapsed_seconds()));
  if (last_.bytes_total != 0) {
    line += fmt::format("{:.1f}%  ", 100 * share_done());
  }
  line += fmt::format("{}, {}", counted(last_.files_done, "file"), size_text(last_.bytes_done));
  if (last_.bytes_total != 0) line += fmt::format(" of {}", size_text(last_.bytes_total));
  if (last_.errors != 0) line += ", " + counted(last_.errors, "error");
  if (const auto left = remaining_seconds()) line += fmt::format(", ETA {}", duration_text(*left));
  if (!current_.empty()) line += "  " + printable(current_);
  return line;
}

std::string Progress::status_json() const {
  JsonObject object;
  object.add("message_type", "status").add("seconds_elapsed", elapsed_seconds());
  if (const auto left = remaining_seconds()) object.add("seconds_remaining", *left);
  object.add("percent_done", share_done());
  if (last_.files_total != 0) object.add("total_files", last_.files_total);
  object.add("files_done", last_.files_done);
  if (last_.bytes_total != 0) object.add("total_bytes", last_.bytes_total);
  object.add("bytes_done", last_.bytes_done);
  if (last_.errors != 0) object.add("error_count", last_.errors);
  if (!current_.empty()) object.add("current_files", std::vector<std::string>{current_});
  return object.text();
}

void Progress::show() {
  if (options_.json) {
    out_.line(status_json());
    out_.flush();
  } else if (options_.terminal) {
    std::string line = status_line();
    const std::size_t columns = terminal_columns(out_.fd());
    if (line.size() >= columns) line.resize(columns - 1);
    out_.write("\r" + printable(line) + "\x1b[K");
    out_.flush();
    drawn_ = true;
  } else {
    out_.line(status_line());
    out_.flush();
  }
}

void Progress::erase() {
  if (!drawn_) return;
  out_.write("\r\x1b[K");
  out_.flush();
  drawn_ = false;
}

void Progress::finish() {
  const std::lock_guard lock(mutex_);
  erase();
}

std::string Progress::whole(std::string_view path) const {
  return (options_.absolute && !path.starts_with('/') ? "/" : "") + std::string(path);
}

void Progress::problem(std::string_view path, std::string_view during, const Error& error) {
  ++problems_;
  const std::lock_guard lock(mutex_);
  erase();
  if (!options_.json) {
    return say(stderr,
               fmt::format("holdfast: {}: {}: {}", during, printable(whole(path)), printable(error.text())));
  }
  const std::string inner = JsonObject().add("message", error.text()).text();
  JsonObject object;
  object.add("message_type", "error").raw("error", inner).add("during", during).add("item", whole(path));
  say(stderr, object.text());
}

void Progress::item(std::string_view action, std::string_view path, std::uint64_t size_bytes) {
  if (options_.verbose == 0 || options_.quiet || (action == "unchanged" && options_.verbose < 2)) return;
  const std::lock_guard lock(mutex_);
  erase();
  if (options_.json) {
    JsonObject object;
    object.add("message_type", "verbose_status")
        .add("action", action)
        .add("item", whole(path))
        .add("data_size", size_bytes);
    out_.line(object.text());
  } else {
    out_.line(fmt::format("{:<9}  {}", action, printable(whole(path))));
  }
}

void Progress::note(std::string_view text) {
  const std::lock_guard lock(mutex_);
  if (options_.quiet) return;
  erase();
  if (options_.json) {
    say(stderr, JsonObject().add("message_type", "note").add("message", text).text());
  } else {
    say(stderr, fmt::format("holdfast: {}", printable(text)));
  }
}

}  // namespace holdfast::cli
