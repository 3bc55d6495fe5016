#include "source/stream.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>

#include "base/beneath.h"

extern char** environ;

namespace holdfast::source {

// Where the bytes come from. The process, if there is one, does not outlive it.
struct StreamSource::Input {
  Fd fd;
  pid_t process = -1;
  std::string program;
  bool at_end = false;

  ~Input() {
    fd.reset();
    if (process < 0) return;
    ::kill(process, SIGTERM);
    static_cast<void>(wait());
  }

  int wait() {
    int status = 0;
    while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
    }
    process = -1;
    return status;
  }

  // After the last byte: the command's verdict.
  Result<void> finish() {
    at_end = true;
    if (process < 0) return {};
    fd.reset();
    const int status = wait();
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
    const std::string how = WIFEXITED(status) ? fmt::format("exited with status {}", WEXITSTATUS(status))
                                              : fmt::format("was killed by signal {}", WTERMSIG(status));
    return Error(Errc::failed, fmt::format("the command {} {}", program, how));
  }
};

// How the reading ended: told by the content, waited for by next().
struct StreamSource::Outcome {
  std::mutex mutex;  // guards what follows
  std::condition_variable_any changed;
  std::stop_token stop;
  bool ended = false;
  std::optional<Error> failure;

  void end(std::optional<Error> why) {
    const std::lock_guard lock(mutex);
    if (ended) return;
    ended = true;
    failure = std::move(why);
    changed.notify_all();
  }
};

namespace {

// How soon a request to stop is seen while no bytes come.
constexpr int kPollMs = 200;

// This process may block signals that its threads take by other ways; a command must not inherit that.
void set_signals(posix_spawnattr_t& attributes) {
  sigset_t none;
  sigemptyset(&none);
  sigset_t defaults;
  sigemptyset(&defaults);
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1, SIGPIPE}) sigaddset(&defaults, signal);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &defaults);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

Result<void> check_path(const std::string& path) {
  if (is_plain_path(path)) return {};
  return Error(Errc::usage, fmt::format("\"{}\" can't be the name of a stream", path))
      .hint("give a relative name without \"..\", such as db.sql");
}

struct Spawned {
  Fd output;
  pid_t process = -1;
};

Result<Spawned> spawn(const std::vector<std::string>& command) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return errno_error(errno, "pipe");
  Spawned spawned{Fd(ends[0]), -1};
  const Fd child_end(ends[1]);
  std::vector<char*> arguments;
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, child_end.get(), STDOUT_FILENO);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  set_signals(attributes);
  const int failure =
      ::posix_spawnp(&spawned.process, arguments[0], &actions, &attributes, arguments.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failure != 0) return errno_error(failure, "run " + command.front());
  return spawned;
}

}  // namespace

class StreamSource::Sequential : public Content {
 public:
  Sequential(std::string path, std::unique_ptr<Input> input, std::shared_ptr<Outcome> outcome)
      : path_(std::move(path)), input_(std::move(input)), outcome_(std::move(outcome)) {
    const std::lock_guard lock(outcome_->mutex);
    stop_ = outcome_->stop;
  }
  // Whoever drops it before its end has a reason of its own, and tells it.
  ~Sequential() override { outcome_->end({}); }

  Result<std::size_t> read(std::uint64_t offset, MutableBytes out) override {
    HF_ASSERT(offset == position_);
    auto done = fill(out);
    if (!done.ok()) {
      outcome_->end(done.error().copy());
    } else {
      position_ += done.value();
      if (input_->at_end) outcome_->end({});
    }
    return done;
  }

  Result<std::vector<std::pair<std::uint64_t, std::uint64_t>>> data_runs(std::uint64_t from,
                                                                         std::uint64_t to) override {
    return std::vector<std::pair<std::uint64_t, std::uint64_t>>{{from, to}};
  }

  Result<bool> unchanged_since(const Item&) override { return true; }

 private:
  Result<std::size_t> fill(MutableBytes out) {
    std::size_t done = 0;
    while (done < out.size() && !input_->at_end) {
      if (stop_.stop_requested()) return Error(Errc::stopped, "stopped while reading " + path_);
      pollfd ready{input_->fd.get(), POLLIN, 0};
      if (::poll(&ready, 1, kPollMs) == 0) continue;
      const ssize_t got = ::read(input_->fd.get(), out.data() + done, out.size() - done);
      if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (got < 0) return errno_error(errno, "read " + path_);
      if (got == 0) TRY(input_->finish());
      done += static_cast<std::size_t>(got);
    }
    return done;
  }

  const std::string path_;
  const std::unique_ptr<Input> input_;
  const std::shared_ptr<Outcome> outcome_;
  std::stop_token stop_;
  std::uint64_t position_ = 0;
};

StreamSource::StreamSource(std::string path, std::unique_ptr<Input> input, Clock& clock)
    : path_(std::move(path)),
      clock_(clock),
      input_(std::move(input)),
      outcome_(std::make_shared<Outcome>()) {}
StreamSource::~StreamSource() = default;

Result<std::unique_ptr<StreamSource>> StreamSource::from_descriptor(std::string path, Fd input,
                                                                    Clock& clock) {
  TRY(check_path(path));
  auto from = std::make_unique<Input>();
  from->fd = std::move(input);
  return std::unique_ptr<StreamSource>(new StreamSource(std::move(path), std::move(from), clock));
}

Result<std::unique_ptr<StreamSource>> StreamSource::from_command(std::string path,
                                                                 const std::vector<std::string>& command,
                                                                 Clock& clock) {
  TRY(check_path(path));
  if (command.empty()) return Error(Errc::usage, "no command whose output could be backed up");
  Spawned spawned = TRY(spawn(command));
  auto from = std::make_unique<Input>();
  from->fd = std::move(spawned.output);
  from->process = spawned.process;
  from->program = command.front();
  return std::unique_ptr<StreamSource>(new StreamSource(std::move(path), std::move(from), clock));
}

Result<bool> StreamSource::next(Item& item, std::stop_token stop) {
  if (stop.stop_requested()) return Error(Errc::stopped, "stopped before the stream was read");
  if (given_) {
    std::unique_lock lock(outcome_->mutex);
    outcome_->changed.wait(lock, stop, [&] { return outcome_->ended; });
    if (outcome_->failure) return outcome_->failure->copy();
    if (!outcome_->ended) return Error(Errc::stopped, "stopped while the stream was read");
    return false;
  }
  given_ = true;
  {
    const std::lock_guard lock(outcome_->mutex);
    outcome_->stop = stop;
  }
  constexpr std::int64_t kBillion = 1'000'000'000;
  const std::int64_t now = clock_.now_ns();
  item = Item();
  item.stream = true;
  item.entry.path = path_;
  item.entry.attributes.mode = 0600;
  item.entry.attributes.uid = ::geteuid();
  item.entry.attributes.gid = ::getegid();
  item.entry.mtime = {now / kBillion, static_cast<std::uint32_t>(now % kBillion)};
  return true;
}

Result<void> StreamSource::complete(Item&) { return {}; }

Result<std::unique_ptr<Content>> StreamSource::open(const Item& item) {
  const std::lock_guard lock(mutex_);
  if (item.entry.path != path_ || input_ == nullptr) {
    return Error(Errc::not_found, item.entry.path + ": a stream can be read only once");
  }
  return std::unique_ptr<Content>(new Sequential(path_, std::move(input_), outcome_));
}

}  // namespace holdfast::source
