// Progress: what a story tells, shown: on a terminal a redrawn line at most 10 times a second; elsewhere
// nothing, or a line per interval where HOLDFAST_PROGRESS_FPS says how often; with --json as lines of JSON in
// restic's words. SIGUSR1 shows it at once. Problems go to standard error, always. Thread-safe.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"
#include "cli/command.h"
#include "flow/observer.h"

namespace holdfast::cli {

struct ProgressOptions {
  bool absolute = false;  // paths told lack nothing but their leading '/'
  bool json = false;
  bool quiet = false;
  int verbose = 0;
  bool terminal = false;             // standard output is one
  std::optional<double> per_second;  // HOLDFAST_PROGRESS_FPS; 0: never
};

// Errc::usage where HOLDFAST_PROGRESS_FPS is no number of 0 to 60.
Result<ProgressOptions> progress_options(const Context& context);

class Progress final : public flow::Observer {
 public:
  Progress(ProgressOptions options, Clock& clock, Output& out, Signals& signals);
  ~Progress() override;

  void progress(const flow::Progress& progress, std::string_view current) override;
  void problem(std::string_view path, std::string_view during, const Error& error) override;
  void item(std::string_view action, std::string_view path, std::uint64_t size_bytes) override;
  void note(std::string_view text) override;

  // Takes the redrawn line away: what is printed next stands alone.
  void finish();
  std::uint64_t problems() const { return problems_; }
  // Without being asked for by a signal.
  bool is_shown() const { return interval_ns_ != 0; }

 private:
  void show();
  std::string whole(std::string_view path) const;
  std::string status_line() const;
  std::string status_json() const;
  std::uint64_t elapsed_seconds() const;
  double share_done() const;
  std::optional<std::uint64_t> remaining_seconds() const;
  void erase();

  const ProgressOptions options_;
  Clock& clock_;
  Output& out_;
  Signals& signals_;
  const std::int64_t started_ns_;
  std::int64_t interval_ns_ = 0;  // 0: only when asked
  std::atomic<std::int64_t> due_ns_;
  std::atomic<bool> wanted_{false};
  std::atomic<std::uint64_t> problems_{0};
  std::mutex mutex_;  // guards what follows and the two outputs
  flow::Progress last_;
  std::string current_;
  bool drawn_ = false;
};

}  // namespace holdfast::cli
