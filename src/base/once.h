// Once: a function that the first thread calls while others wait; where it throws, the next calls it again.
// Not std::call_once: through glibc's pthread_once no exception passes where memory has run out, since that
// loads libgcc_s then, and ends the program. Thread-safe.
#pragma once

#include <atomic>
#include <mutex>
#include <utility>

namespace holdfast {

class Once {
 public:
  template <typename Function>
  void call(Function&& function) {
    if (done_.load(std::memory_order_acquire)) return;
    const std::lock_guard lock(mutex_);
    if (done_.load(std::memory_order_relaxed)) return;
    std::forward<Function>(function)();
    done_.store(true, std::memory_order_release);
  }

 private:
  std::mutex mutex_;
  std::atomic<bool> done_ = false;
};

}  // namespace holdfast
