#include "base/clock.h"

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace holdfast {

namespace {

class SystemClock final : public Clock {
 public:
  std::int64_t now_ns() const override {
    return since_epoch_ns(std::chrono::system_clock::now().time_since_epoch());
  }
  std::int64_t ticks_ns() const override {
    return since_epoch_ns(std::chrono::steady_clock::now().time_since_epoch());
  }
  bool sleep_ns(std::int64_t duration_ns, std::stop_token stop) override {
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock(mutex);
    wake.wait_for(lock, stop, std::chrono::nanoseconds(duration_ns), [] { return false; });
    return !stop.stop_requested();
  }

 private:
  template <typename Duration>
  static std::int64_t since_epoch_ns(Duration duration) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count();
  }
};

}  // namespace

Clock& system_clock() {
  static SystemClock clock;
  return clock;
}

}  // namespace holdfast
