#include "source/threaded.h"

namespace holdfast::source {

namespace {

constexpr std::size_t kBatchItems = 250;
constexpr std::size_t kBatches = 4;

}  // namespace

ThreadedSource::Walk::Walk() : found(kBatches - 2), used(kBatches) {}

ThreadedSource::ThreadedSource(std::unique_ptr<Source> inner) : inner_(std::move(inner)) {}

Result<void> ThreadedSource::run(Walk& walk, const std::stop_token& stop) {
  // Not to be waited for by next() once this has ended, however it ends.
  struct Closer {
    Queue<Batch>& queue;
    ~Closer() { queue.close(); }
  } closer{walk.found};
  for (std::size_t made = 0;; ++made) {
    Batch batch;
    if (made >= kBatches) {
      auto used = walk.used.pop(stop);
      if (!used) return {};
      batch = std::move(*used);
    }
    batch.items.resize(kBatchItems);
    batch.count = 0;
    bool more = true;
    while (more && batch.count < kBatchItems) {
      auto got = inner_->next(batch.items[batch.count], stop);
      // What was found before the failure comes first.
      if (!got.ok()) {
        walk.found.push(std::move(batch), stop);
        return std::move(got).error();
      }
      more = got.value();
      if (more) ++batch.count;
    }
    if (!walk.found.push(std::move(batch), stop) || !more) return {};
  }
}

Result<bool> ThreadedSource::next(Item& item, std::stop_token stop) {
  if (walk_ == nullptr) {
    walk_ = std::make_unique<Walk>();
    Walk& walk = *walk_;
    walk.thread.spawn([this, &walk](std::stop_token own) { return run(walk, own); });
  }
  while (at_ == batch_.count) {
    if (!batch_.items.empty()) walk_->used.push(std::exchange(batch_, {}), stop);
    at_ = 0;
    auto found = walk_->found.pop(stop);
    if (stop.stop_requested()) return Error(Errc::stopped, "stopped while walking");
    if (!found) {
      TRY(walk_->thread.wait());
      return false;
    }
    batch_ = std::move(*found);
  }
  std::swap(item, batch_.items[at_++]);
  return true;
}

Result<void> ThreadedSource::restart() {
  walk_.reset();
  batch_ = {};
  at_ = 0;
  return inner_->restart();
}

}  // namespace holdfast::source
