#include "source/stream.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace holdfast::source {

namespace {

// How soon a request to stop is seen while no bytes come.
constexpr int kPollMs = 200;

}  // namespace

class StreamSource::Reader final : public Content {
 public:
  explicit Reader(StreamSource& source) : source_(source) {}
  // Whoever drops it before its end has its own reason, and tells it.
  ~Reader() override { source_.end({}); }

  Result<std::size_t> read(std::uint64_t offset, MutableBytes out) override {
    if (offset != at_) return Error(Errc::unsupported, "a stream can be read only once and in order");
    std::size_t filled = 0;
    while (filled < out.size()) {
      auto got = read_some(out.subspan(filled));
      if (!got.ok()) {
        source_.end(got.error().copy());
        return std::move(got).error();
      }
      if (got.value() == 0) break;
      filled += got.value();
    }
    at_ += filled;
    if (filled < out.size()) {
      auto good = source_.options_.at_end();
      if (!good.ok()) {
        source_.end(good.error().copy());
        return std::move(good).error();
      }
      source_.end({});
    }
    return filled;
  }

  Result<std::vector<std::pair<std::uint64_t, std::uint64_t>>> data_runs(std::uint64_t from,
                                                                        std::uint64_t to) override {
    return std::vector<std::pair<std::uint64_t, std::uint64_t>>{{from, to}};
  }
  Result<bool> unchanged_since(const Item&) override { return true; }

 private:
  Result<std::size_t> read_some(MutableBytes out) {
    const StreamOptions& options = source_.options_;
    for (;;) {
      if (options.stop.stop_requested()) return Error(Errc::stopped, "stopped while reading a stream");
      pollfd ready{options.fd, POLLIN, 0};
      if (::poll(&ready, 1, kPollMs) == 0) continue;
      const ssize_t got = ::read(options.fd, out.data(), out.size());
      if (got >= 0) return static_cast<std::size_t>(got);
      if (errno != EINTR && errno != EAGAIN) return errno_error(errno, "read " + options.path);
    }
  }

  StreamSource& source_;
  std::uint64_t at_ = 0;
};

StreamSource::StreamSource(StreamOptions options) : options_(std::move(options)) {}

void StreamSource::end(Result<void> how) {
  const std::lock_guard lock(mutex_);
  if (ended_) return;
  ended_ = true;
  if (!how.ok()) failure_ = std::move(how).error();
  changed_.notify_all();
}

Result<bool> StreamSource::next(Item& item, std::stop_token stop) {
  if (!given_) {
    given_ = true;
    item = Item();
    item.entry.path = options_.path;
    item.entry.attributes = options_.attributes;
    item.entry.mtime = options_.time;
    item.stream = true;
    return true;
  }
  std::unique_lock lock(mutex_);
  changed_.wait(lock, stop, [&] { return ended_; });
  if (failure_) return failure_->copy();
  if (!ended_) return Error(Errc::stopped, "stopped while reading a stream");
  return false;
}

Result<std::unique_ptr<Content>> StreamSource::open(const Item&) {
  return std::unique_ptr<Content>(std::make_unique<Reader>(*this));
}

}  // namespace holdfast::source
