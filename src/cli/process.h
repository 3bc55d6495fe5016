// Processes of other programs: the command that gives the password, the command whose output is backed up. They get the
// signals' default actions, the terminal, and the standard error of this process. The only place that starts any.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::cli {

class Process {
 public:
  // Starts a program (found by PATH); its standard output comes out of output(). Errc::failed where it can't be started.
  static Result<Process> start(const std::vector<std::string>& words);
  Process(Process&& other) noexcept;
  Process& operator=(Process&&) = delete;
  // Ends it (SIGTERM) if it has not been waited for.
  ~Process();

  int output() const { return output_.get(); }
  // Waits for its end. Errc::failed unless it ended with exit code 0.
  Result<void> wait();

 private:
  Process() = default;
  pid_t pid_ = -1;
  std::string name_;
  Fd output_;
};

// All that a shell command writes to its standard output. Errc::failed where it fails or writes more than `bytes_max`.
Result<std::string> output_of_shell(const std::string& command, std::size_t bytes_max);

}  // namespace holdfast::cli
