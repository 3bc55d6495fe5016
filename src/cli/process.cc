#include "cli/process.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <vector>

#include "base/fd.h"

namespace holdfast::cli {

namespace {

// posix_spawn's two objects, released with their owner.
struct SpawnSettings {
  SpawnSettings() {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
  }
  ~SpawnSettings() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
};

void use_default_signals(posix_spawnattr_t& attributes) {
  sigset_t none;
  sigemptyset(&none);
  sigset_t defaults;
  sigemptyset(&defaults);
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1, SIGPIPE}) sigaddset(&defaults, signal);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &defaults);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

class Process {
 public:
  static Result<Process> start(const std::vector<std::string>& words);
  Process(Process&& other) noexcept
      : pid_(std::exchange(other.pid_, -1)),
        name_(std::move(other.name_)),
        output_(std::move(other.output_)) {}
  Process& operator=(Process&&) = delete;
  ~Process() {
    if (pid_ < 0) return;
    output_.reset();
    ::kill(pid_, SIGTERM);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }

  int output() const { return output_.get(); }
  // Errc::failed unless it ended with exit code 0.
  Result<void> wait();

 private:
  Process() = default;
  pid_t pid_ = -1;
  std::string name_;
  Fd output_;
};

Result<Process> Process::start(const std::vector<std::string>& words) {
  if (words.empty() || words.front().empty()) return Error(Errc::usage, "no command given");
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return errno_error(errno, "make a pipe");
  Process process;
  process.name_ = words.front();
  process.output_ = Fd(pipe[0]);
  const Fd theirs(pipe[1]);
  SpawnSettings settings;
  ::posix_spawn_file_actions_adddup2(&settings.actions, theirs.get(), STDOUT_FILENO);
  use_default_signals(settings.attributes);
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const int failed = ::posix_spawnp(&process.pid_, words.front().c_str(), &settings.actions,
                                    &settings.attributes, arguments.data(), environ);
  if (failed != 0) {
    process.pid_ = -1;
    return errno_error(failed, "start " + words.front());
  }
  return process;
}

Result<void> Process::wait() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0) {
    if (errno != EINTR) return errno_error(errno, "wait for " + name_);
  }
  pid_ = -1;
  if (WIFSIGNALED(status))
    return Error(Errc::failed, fmt::format("{} was ended by signal {}", name_, WTERMSIG(status)));
  if (WEXITSTATUS(status) != 0) {
    return Error(Errc::failed, fmt::format("{} failed with exit code {}", name_, WEXITSTATUS(status)));
  }
  return {};
}

}  // namespace

Result<std::string> output_of_shell(const std::string& command, std::size_t bytes_max) {
  Process process = TRY(Process::start({"/bin/sh", "-c", command}));
  std::string out;
  std::array<char, 4096> piece{};
  for (;;) {
    const ssize_t got = ::read(process.output(), piece.data(), piece.size());
    if (got == 0) break;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error(errno, "read the output of " + command);
    out.append(piece.data(), static_cast<std::size_t>(got));
    if (out.size() > bytes_max) return Error(Errc::failed, "the output is too long: " + command);
  }
  TRY_AS(process.wait(), command);
  return out;
}

}  // namespace holdfast::cli
