// Signals: SIGINT and SIGTERM ask the program to stop, the second one ends it at once (exit code 130);
// SIGUSR1 asks for progress now. They are taken by a thread of their own, so no handler runs anywhere and no
// system call is interrupted. Made in main() before other threads; one per process.
#pragma once

#include <atomic>
#include <functional>
#include <stop_token>

#include "base/fd.h"
#include "base/task_group.h"

namespace holdfast::cli {

class Signals {
 public:
  Signals();
  ~Signals();

  // Requested by the first SIGINT or SIGTERM.
  std::stop_token stop() const { return stop_.get_token(); }
  // Called by the signals' thread at SIGUSR1; must be quick.
  void on_progress_wanted(std::function<void()> callback);
  // Called right before the process ends at once: to put the terminal right. Async with everything else.
  void on_exit(std::function<void()> callback);

 private:
  Result<void> watch(std::stop_token stop);
  void handle(int signal);

  std::stop_source stop_;
  std::mutex mutex_;  // guards the callbacks
  std::function<void()> progress_wanted_;
  std::function<void()> exit_;
  Fd signals_;
  Fd wake_;
  TaskGroup threads_;
};

}  // namespace holdfast::cli
