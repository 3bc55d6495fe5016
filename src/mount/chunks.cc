#include "mount/chunks.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>

namespace holdfast::mount {

namespace {

constexpr std::size_t kAheadMax = 32;

Result<PlainPtr> fetch(repo::ChunkReader& reader, const model::Address& address, std::stop_token stop) {
  const repo::DirectoryEntry entry = TRY(reader.describe(address, stop));
  const Bytes bytes = TRY(reader.read(address, stop));
  auto plain = std::make_shared<Plain>();
  plain->bytes.assign(bytes.begin(), bytes.end());
  plain->id = model::short_id(entry.id);
  plain->type = entry.type;
  return PlainPtr(std::move(plain));
}

}  // namespace

Chunks::Chunks(const repo::Repository& repository, const repo::LogState& log, ChunksOptions options)
    : repository_(repository), options_(options), cache_(options.cache_bytes_max) {
  for (unsigned i = 0; i < options_.workers; ++i)
    workers_.spawn([this, log](std::stop_token stop) { return work(log, stop); });
}

Result<PlainPtr> Chunks::get(const model::Address& address, std::stop_token stop) {
  std::unique_lock lock(mutex_);
  if (const PlainPtr* plain = cache_.find(address)) return *plain;
  FetchPtr& pending = pending_[address];
  if (pending == nullptr) pending = std::make_shared<Fetch>(Fetch{.address = address});
  const FetchPtr fetch = pending;
  if (!fetch->wanted) {
    fetch->wanted = true;
    if (!fetch->started) {
      std::erase(ahead_, fetch);
      wanted_.push_back(fetch);
      work_.notify_one();
    }
  }
  const auto patience = std::chrono::nanoseconds(options_.patience_ns);
  const bool done = done_.wait_for(lock, stop, patience, [&] { return fetch->done; });
  if (!done && stop.stop_requested()) return Error(Errc::stopped, "stopped");
  if (!done) {
    return Error(Errc::unreachable,
                 fmt::format("the store gave no answer for {} seconds", options_.patience_ns / 1'000'000'000))
        .hint("try again; or mount with a larger --timeout");
  }
  if (fetch->error) return fetch->error->copy();
  return fetch->plain;
}

void Chunks::prefetch(const model::Address& address) {
  const std::lock_guard lock(mutex_);
  if (ahead_.size() >= kAheadMax || cache_.find(address) != nullptr || pending_.contains(address)) return;
  const auto fetch = std::make_shared<Fetch>(Fetch{.address = address});
  pending_[address] = fetch;
  ahead_.push_back(fetch);
  work_.notify_one();
}

Chunks::FetchPtr Chunks::take() {
  std::deque<FetchPtr>& from = wanted_.empty() ? ahead_ : wanted_;
  FetchPtr fetch = std::move(from.front());
  from.pop_front();
  fetch->started = true;
  ++fetches_;
  return fetch;
}

Result<void> Chunks::work(const repo::LogState& log, std::stop_token stop) {
  repo::ChunkReader reader(repository_, log, 0);  // they are kept here
  for (;;) {
    std::unique_lock lock(mutex_);
    if (!work_.wait(lock, stop, [&] { return !wanted_.empty() || !ahead_.empty(); })) return {};
    if (stop.stop_requested()) return {};
    const FetchPtr next = take();
    lock.unlock();
    auto result = fetch(reader, next->address, stop);
    finish(*next, std::move(result));
  }
}

void Chunks::finish(Fetch& fetch, Result<PlainPtr> result) {
  const std::lock_guard lock(mutex_);
  fetch.done = true;
  if (result.ok()) {
    fetch.plain = std::move(result).value();
    cache_.add(fetch.address, fetch.plain, fetch.plain->bytes.size());
  } else {
    fetch.error = std::move(result).error();
  }
  pending_.erase(fetch.address);
  done_.notify_all();
}

std::uint64_t Chunks::fetches() const {
  const std::lock_guard lock(mutex_);
  return fetches_;
}

std::uint64_t Chunks::cached_bytes() const {
  const std::lock_guard lock(mutex_);
  return cache_.bytes();
}

}  // namespace holdfast::mount
