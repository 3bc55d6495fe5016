#include "cli/signals.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>

namespace holdfast::cli {

Signals::Signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) sigaddset(&set, signal);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);  // a write to a closed pipe is an error like any other
  signals_ = Fd(::signalfd(-1, &set, SFD_CLOEXEC));
  wake_ = Fd(::eventfd(0, EFD_CLOEXEC));
  threads_.spawn([this](std::stop_token stop) { return watch(stop); });
}

Signals::~Signals() {
  threads_.stop();
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t woken = ::write(wake_.get(), &one, sizeof one);
}

void Signals::on_progress_wanted(std::function<void()> callback) {
  const std::lock_guard lock(mutex_);
  progress_wanted_ = std::move(callback);
}

void Signals::on_exit(std::function<void()> callback) {
  const std::lock_guard lock(mutex_);
  exit_ = std::move(callback);
}

Result<void> Signals::watch(std::stop_token stop) {
  while (!stop.stop_requested()) {
    std::array<pollfd, 2> fds{pollfd{signals_.get(), POLLIN, 0}, pollfd{wake_.get(), POLLIN, 0}};
    if (::poll(fds.data(), fds.size(), -1) <= 0 || (fds[0].revents & POLLIN) == 0) continue;
    signalfd_siginfo info{};
    if (::read(signals_.get(), &info, sizeof info) == sizeof info) handle(static_cast<int>(info.ssi_signo));
  }
  return {};
}

void Signals::handle(int signal) {
  const std::lock_guard lock(mutex_);
  if (signal == SIGUSR1) {
    if (progress_wanted_) progress_wanted_();
    return;
  }
  if (stop_.request_stop()) return;
  if (exit_) exit_();
  ::_exit(exit_code(Errc::stopped));
}

}  // namespace holdfast::cli
