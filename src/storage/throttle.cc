#include "storage/throttle.h"

namespace holdfast::storage {

namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;
// What may pass at once after a pause, in time at the full rate.
constexpr std::int64_t kBurstNs = kSecondNs / 4;

// A token bucket kept as the time at which it will be full again (the "generic cell rate algorithm", ITU-T
// I.371). Whoever comes takes all his bytes and waits until they are paid for, so large objects need no large
// bucket.
class Bucket {
 public:
  Bucket(std::uint64_t bytes_per_second, Clock& clock) : rate_(bytes_per_second), clock_(clock) {}

  Result<void> take(std::uint64_t bytes, const std::stop_token& stop) {
    if (rate_ == 0) return {};
    const double seconds = static_cast<double>(bytes) / static_cast<double>(rate_);
    std::int64_t wait_ns = 0;
    {
      const std::lock_guard lock(mutex_);
      const std::int64_t now_ns = clock_.ticks_ns();
      full_ns_ = std::max(full_ns_, now_ns) + static_cast<std::int64_t>(seconds * kSecondNs);
      wait_ns = full_ns_ - now_ns - kBurstNs;
    }
    if (wait_ns <= 0 || clock_.sleep_ns(wait_ns, stop)) return {};
    return Error(Errc::stopped, "stopped while waiting for bandwidth");
  }

 private:
  const std::uint64_t rate_;
  Clock& clock_;
  std::mutex mutex_;  // guards full_ns_
  std::int64_t full_ns_ = 0;
};

class ThrottledStorage final : public Storage {
 public:
  ThrottledStorage(std::unique_ptr<Storage> inner, Rates rates, Clock& clock)
      : inner_(std::move(inner)),
        upload_(rates.upload_bytes_per_second, clock),
        download_(rates.download_bytes_per_second, clock) {}

  std::string describe() const override { return inner_->describe(); }

  Result<void> put(const std::string& name, Bytes bytes, std::stop_token stop) override {
    TRY(upload_.take(bytes.size(), stop));
    return inner_->put(name, bytes, std::move(stop));
  }
  Result<std::unique_ptr<Spool>> spool() override { return inner_->spool(); }
  Result<void> put(const std::string& name, Spool& spool, std::stop_token stop) override {
    TRY(upload_.take(spool.size_bytes(), stop));
    return inner_->put(name, spool, std::move(stop));
  }
  Result<void> cover(const std::string& name, std::stop_token stop) override {
    return inner_->cover(name, std::move(stop));
  }
  Result<void> barrier(std::stop_token stop) override { return inner_->barrier(std::move(stop)); }

  Result<Buffer> get(const std::string& name, ByteRange range, std::stop_token stop) override {
    Buffer bytes = TRY(inner_->get(name, range, stop));
    TRY(download_.take(bytes.size(), stop));
    return bytes;
  }
  Result<ObjectInfo> stat(const std::string& name, std::stop_token stop) override {
    return inner_->stat(name, std::move(stop));
  }
  Result<void> list(std::string_view prefix, const Visit& visit, std::stop_token stop) override {
    return inner_->list(prefix, visit, std::move(stop));
  }
  Result<void> remove(const std::string& name, std::stop_token stop) override {
    return inner_->remove(name, std::move(stop));
  }

 private:
  const std::unique_ptr<Storage> inner_;
  Bucket upload_;
  Bucket download_;
};

}  // namespace

std::unique_ptr<Storage> throttled(std::unique_ptr<Storage> inner, Rates rates, Clock& clock) {
  return std::make_unique<ThrottledStorage>(std::move(inner), rates, clock);
}

}  // namespace holdfast::storage
