#include "mount/roster.h"

#include <algorithm>
#include <chrono>

namespace holdfast::mount {

namespace {

// Reading the list may take a share of the time, but not more.
constexpr std::int64_t kRestFactor = 20;

}  // namespace

Roster::Roster(Clock& clock, Load load, std::vector<std::string> templates, RosterOptions options)
    : clock_(clock), load_(std::move(load)), templates_(std::move(templates)), options_(std::move(options)) {
  number_of("", ViewNode());
}

Result<void> Roster::start(std::stop_token stop) {
  const std::int64_t began_ns = clock_.ticks_ns();
  auto loaded = TRY(load_(stop));
  const std::lock_guard lock(mutex_);
  views_ = std::make_shared<const Views>(std::vector<SnapshotPtr>(), templates_);
  take(std::move(loaded), began_ns);
  thread_.spawn([this](std::stop_token inner) { return watch(inner); });
  return {};
}

std::shared_ptr<const Views> Roster::views(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  if (clock_.ticks_ns() < due_ns_) return views_;
  wanted_ = true;
  changed_.notify_all();
  const auto patience = std::chrono::nanoseconds(options_.patience_ns);
  changed_.wait_for(lock, stop, patience, [&] { return !wanted_ && !busy_; });
  return views_;
}

Result<void> Roster::watch(std::stop_token stop) {
  for (;;) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait(lock, stop, [&] { return wanted_; })) return {};
    if (stop.stop_requested()) return {};
    wanted_ = false;
    busy_ = true;
    lock.unlock();
    const std::int64_t began_ns = clock_.ticks_ns();
    auto loaded = load_(stop);
    if (!loaded.ok() && !stop.stop_requested()) options_.complain(loaded.error());
    lock.lock();
    busy_ = false;
    take(std::move(loaded), began_ns);
    changed_.notify_all();
  }
}

void Roster::take(Result<std::vector<SnapshotPtr>> loaded, std::int64_t began_ns) {
  const std::int64_t now_ns = clock_.ticks_ns();
  due_ns_ = now_ns + std::max(options_.fresh_ns, kRestFactor * (now_ns - began_ns));
  if (!loaded.ok()) return;
  std::vector<std::string> ids;
  for (const SnapshotPtr& snapshot : loaded.value()) {
    ids.push_back(snapshot->id);
    ids.insert(ids.end(), snapshot->tags.begin(), snapshot->tags.end());
  }
  if (ids == ids_) return;
  ids_ = std::move(ids);
  views_ = std::make_shared<const Views>(loaded.value(), templates_);
}

std::uint64_t Roster::number_of(const std::string& path, const ViewNode& node) {
  const std::lock_guard lock(mutex_);
  std::string key = path;
  if (node.snapshot != nullptr) key.append(1, '\0').append(node.snapshot->id);
  const auto [at, is_new] = numbers_.try_emplace(std::move(key), origins_.size() + 1);
  if (is_new) origins_.push_back(std::make_shared<const Origin>(Origin{path, node.snapshot, node.top}));
  return at->second;
}

std::shared_ptr<const Origin> Roster::origin(std::uint64_t number) const {
  const std::lock_guard lock(mutex_);
  return number == 0 || number > origins_.size() ? nullptr : origins_[number - 1];
}

}  // namespace holdfast::mount
