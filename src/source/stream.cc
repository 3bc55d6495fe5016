#include "source/stream.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cerrno>
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

namespace {

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
  const int failure =
      ::posix_spawnp(&spawned.process, arguments[0], &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failure != 0) return errno_error(failure, "run " + command.front());
  return spawned;
}

}  // namespace

class StreamSource::Sequential : public Content {
 public:
  Sequential(std::string path, std::unique_ptr<Input> input)
      : path_(std::move(path)), input_(std::move(input)) {}

  Result<std::size_t> read(std::uint64_t offset, MutableBytes out) override {
    HF_ASSERT(offset == position_);
    std::size_t done = 0;
    while (done < out.size() && !input_->at_end) {
      const ssize_t got = ::read(input_->fd.get(), out.data() + done, out.size() - done);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return errno_error(errno, "read " + path_);
      if (got == 0) TRY(input_->finish());
      done += static_cast<std::size_t>(got);
    }
    position_ += done;
    return done;
  }

  Result<std::vector<std::pair<std::uint64_t, std::uint64_t>>> data_runs(std::uint64_t from,
<<<<<<< HEAD
                                                                        std::uint64_t to) override {
=======
                                                                         std::uint64_t to) override {
>>>>>>> main
    return std::vector<std::pair<std::uint64_t, std::uint64_t>>{{from, to}};
  }

  Result<bool> unchanged_since(const Item&) override { return true; }

 private:
  const std::string path_;
  const std::unique_ptr<Input> input_;
  std::uint64_t position_ = 0;
};

StreamSource::StreamSource(std::string path, std::unique_ptr<Input> input, Clock& clock)
    : path_(std::move(path)), clock_(clock), input_(std::move(input)) {}
StreamSource::~StreamSource() = default;

<<<<<<< HEAD
Result<std::unique_ptr<StreamSource>> StreamSource::from_descriptor(std::string path, Fd input, Clock& clock) {
=======
Result<std::unique_ptr<StreamSource>> StreamSource::from_descriptor(std::string path, Fd input,
                                                                    Clock& clock) {
>>>>>>> main
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
  if (given_) return false;
  given_ = true;
  constexpr std::int64_t kBillion = 1'000'000'000;
  const std::int64_t now = clock_.now_ns();
  item = Item();
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
  return std::unique_ptr<Content>(new Sequential(path_, std::move(input_)));
}

}  // namespace holdfast::source
