#include "storage/backoff.h"

#include <bit>

namespace holdfast::storage {

bool Backoff::again(const Error& error, const std::stop_token& stop) {
  if (!retryable(error.kind()) || stop.stop_requested()) return false;
  // Full jitter: uniform in [0, delay], so that clients that failed together don't come back together
  // (Brooker, "Exponential Backoff And Jitter", 2015).
  const auto bits = std::bit_cast<std::uint64_t>(random_.array<8>());
  const auto wait_ns = static_cast<std::int64_t>(bits % (static_cast<std::uint64_t>(delay_ns()) + 1));
  if (clock_.ticks_ns() + wait_ns >= end_ns_) return false;
  ++failures_;
  return clock_.sleep_ns(wait_ns, stop);
}

std::int64_t Backoff::delay_ns() const {
  std::int64_t delay = policy_.first_delay_ns;
  for (int i = 0; i < failures_ && delay < policy_.delay_max_ns; ++i) delay *= 2;
  return std::min(delay, policy_.delay_max_ns);
}

}  // namespace holdfast::storage
