#include "cli/password.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/fd.h"
#include "cli/process.h"
#include "crypto/secret.h"

namespace holdfast::cli {

namespace {

constexpr std::size_t kPasswordBytesMax = 64 * 1024;

void wipe(std::string& text) {
  crypto::wipe({reinterpret_cast<std::uint8_t*>(text.data()), text.capacity()});  // short ones lie within
  text.clear();
}

// Without one line end at the end, as editors and echo leave it.
Password without_line_end(std::string text) {
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  return Password(std::move(text));
}

Result<Password> read_file(const std::string& path) { return read_secret_file(path, "the password file"); }

// The terminal with its echo off, put right again at the end.
class SilentTerminal {
 public:
  explicit SilentTerminal(int fd) : fd_(fd) {
    valid_ = ::tcgetattr(fd, &before_) == 0;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    if (valid_) ::tcsetattr(fd, TCSAFLUSH, &silent);
  }
  ~SilentTerminal() {
    if (valid_) ::tcsetattr(fd_, TCSAFLUSH, &before_);
  }
  SilentTerminal(const SilentTerminal&) = delete;
  SilentTerminal& operator=(const SilentTerminal&) = delete;

 private:
  int fd_;
  bool valid_ = false;
  termios before_{};
};

Result<void> say(int fd, std::string_view text) {
  if (::write(fd, text.data(), text.size()) < 0) return errno_error(errno, "write to the terminal");
  return {};
}

// One line, read so that a request to stop is seen while waiting.
Result<Password> ask(int terminal, const std::string& prompt, std::stop_token stop) {
  const SilentTerminal silent(terminal);
  TRY(say(terminal, prompt + ": "));
  std::string text;
  text.reserve(4096);
  while (!text.ends_with('\n')) {
    pollfd ready{terminal, POLLIN, 0};
    const int count = ::poll(&ready, 1, 100);
    if (stop.stop_requested()) {
      wipe(text);
      TRY(say(terminal, "\n"));
      return Error(Errc::stopped, "stopped while asking for the password");
    }
    if (count <= 0) continue;
    std::array<char, 1024> piece{};
    const ssize_t got = ::read(terminal, piece.data(), piece.size());
    if (got <= 0) break;
    text.append(piece.data(), static_cast<std::size_t>(got));
    if (text.size() > kPasswordBytesMax) return Error(Errc::usage, "the password is too long");
  }
  TRY(say(terminal, "\n"));
  return without_line_end(std::move(text));
}

Result<Password> ask_terminal(const PasswordSources& sources, std::stop_token stop) {
  const Fd terminal(::open("/dev/tty", O_RDWR | O_CLOEXEC));
  if (!terminal.valid()) {
    return Error(Errc::usage, "no password given, and no terminal to ask at")
        .hint("use --password-file, --password-command, or the environment variable HOLDFAST_PASSWORD");
  }
  Password first = TRY(ask(terminal.get(), sources.prompt, stop));
  if (!sources.twice) return first;
  const Password second = TRY(ask(terminal.get(), "the same again", stop));
  if (!crypto::equal(first.bytes(), second.bytes()) || first.bytes().size() != second.bytes().size()) {
    return Error(Errc::usage, "the two passwords differ");
  }
  return first;
}

Result<Password> read_any(const PasswordSources& sources, const Environment& environment,
                          std::stop_token stop) {
  const auto from_command = [](const std::string& command) -> Result<Password> {
    std::string text = TRY_AS(output_of_shell(command, kPasswordBytesMax), "the password command");
    return without_line_end(std::move(text));
  };
  if (!sources.file.empty()) return read_file(sources.file);
  if (!sources.command.empty()) return from_command(sources.command);
  if (!sources.variable_prefix.empty()) {
    const auto variable = [&](const char* name) { return environment.get(sources.variable_prefix + name); };
    if (const auto file = variable("PASSWORD_FILE")) return read_file(*file);
    if (const auto command = variable("PASSWORD_COMMAND")) return from_command(*command);
    if (auto password = variable("PASSWORD")) return Password(std::move(*password));
  }
  return ask_terminal(sources, stop);
}

}  // namespace

Result<Password> read_secret_file(const std::string& path, const std::string& what) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return errno_error(errno, "open " + what + " " + path);
  std::string text(kPasswordBytesMax + 1, '\0');
  std::size_t length = 0;
  while (length < text.size()) {
    const ssize_t got = ::read(file.get(), text.data() + length, text.size() - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error(errno, "read " + what + " " + path);
    if (got == 0) break;
    length += static_cast<std::size_t>(got);
  }
  if (length > kPasswordBytesMax) return Error(Errc::usage, what + " " + path + " is too long");
  text.resize(length);
  return without_line_end(std::move(text));
}

Result<void> write_new_file(const std::string& path, std::string_view text, unsigned mode) {
  const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, static_cast<mode_t>(mode)));
  if (!file.valid()) return errno_error(errno, "make the file " + path);
  while (!text.empty()) {
    const ssize_t done = ::write(file.get(), text.data(), text.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return errno_error(errno, "write the file " + path);
    text.remove_prefix(static_cast<std::size_t>(done));
  }
  if (::fsync(file.get()) != 0) return errno_error(errno, "write the file " + path);
  return {};
}

Password::~Password() { wipe(text_); }

Result<Password> read_password(const PasswordSources& sources, const Environment& environment,
                               std::stop_token stop) {
  Password password = TRY(read_any(sources, environment, stop));
  if (password.bytes().empty()) return Error(Errc::usage, "the password is empty");
  return password;
}

}  // namespace holdfast::cli
