#include "tests/support/stepped_storage.h"

#include <thread>

#include "base/check.h"

namespace holdfast::testing {

using storage::ByteRange;
using storage::ObjectInfo;
using storage::Spool;
using storage::Storage;
using storage::Visit;

Stepper::Stepper(std::uint64_t seed, std::size_t clients, const std::vector<Kill>& kills, unsigned stay)
    : random_(seed), stay_(stay), seats_(clients) {
  for (const Kill& kill : kills) seats_.at(kill.client).dies_at = kill.call;
}

void Stepper::pick() {
  if (turn_ != 0) return;
  std::vector<std::size_t> ready;
  for (std::size_t i = 0; i < seats_.size(); ++i) {
    if (seats_[i].running) return;
    if (!seats_[i].waiting.empty()) ready.push_back(i);
  }
  if (ready.empty()) return;
  const bool stay =
      stay_ > 0 && random_() % 32 < stay_ && std::find(ready.begin(), ready.end(), last_) != ready.end();
  if (!stay) last_ = ready[random_() % ready.size()];
  Seat& seat = seats_[last_];
  turn_ = seat.waiting.front();
  seat.waiting.pop_front();
  seat.running = true;
  changed_.notify_all();
}

bool Stepper::enter(std::size_t client) {
  std::unique_lock lock(mutex_);
  Seat& seat = seats_.at(client);
  if (++seat.calls >= seat.dies_at) return false;
  const std::uint64_t ticket = ++tickets_;
  seat.waiting.push_back(ticket);
  // Another thread of this client may be in its call just now; it will tell when it is done.
  if (turn_ == 0) seat.running = false;
  pick();
  changed_.wait(lock, [&] { return turn_ == ticket; });
  return true;
}

void Stepper::done(std::size_t client, std::string line) {
  const std::lock_guard lock(mutex_);
  trace_.push_back(fmt::format("{} {}", client, line));
  turn_ = 0;
  Seat& seat = seats_.at(client);
  // A client of one thread computes on alone. One whose other thread halted meanwhile is halted again, lest
  // this thread wait for that one for ever.
  if (!seat.waiting.empty()) seat.running = false;
  pick();
}

void Stepper::finished(std::size_t client) {
  const std::lock_guard lock(mutex_);
  HF_ASSERT(seats_.at(client).waiting.empty());
  seats_.at(client).running = false;
  pick();
}

Trace Stepper::trace() const {
  const std::lock_guard lock(mutex_);
  return trace_;
}

namespace {

class SteppedStorage final : public Storage {
 public:
  SteppedStorage(std::unique_ptr<Storage> inner, Stepper& stepper, std::size_t client)
      : inner_(std::move(inner)), stepper_(stepper), client_(client) {}

  std::string describe() const override { return inner_->describe(); }

  Result<void> put(const std::string& name, Bytes bytes, std::stop_token stop) override {
    return step("put " + name, [&] { return inner_->put(name, bytes, stop); });
  }
  Result<std::unique_ptr<Spool>> spool() override { return inner_->spool(); }
  Result<void> put(const std::string& name, Spool& spool, std::stop_token stop) override {
    return step("put " + name, [&] { return inner_->put(name, spool, stop); });
  }
  Result<void> cover(const std::string& name, std::stop_token stop) override {
    return step("cover " + name, [&] { return inner_->cover(name, stop); });
  }
  Result<void> barrier(std::stop_token stop) override {
    return step("barrier", [&] { return inner_->barrier(stop); });
  }
  Result<Buffer> get(const std::string& name, ByteRange range, std::stop_token stop) override {
    return step("get " + name, [&] { return inner_->get(name, range, stop); });
  }
  Result<ObjectInfo> stat(const std::string& name, std::stop_token stop) override {
    return step("stat " + name, [&] { return inner_->stat(name, stop); });
  }
  Result<void> list(std::string_view prefix, const Visit& visit, std::stop_token stop) override {
    std::vector<ObjectInfo> found;
    const Visit collect = [&](const ObjectInfo& object) -> Result<void> {
      found.push_back(object);
      return {};
    };
    TRY(step(fmt::format("list {}", prefix), [&] { return inner_->list(prefix, collect, stop); }));
    for (const ObjectInfo& object : found) TRY(visit(object));
    return {};
  }
  Result<void> remove(const std::string& name, std::stop_token stop) override {
    return step("remove " + name, [&] { return inner_->remove(name, stop); });
  }

 private:
  template <typename Call>
  auto step(const std::string& what, Call call) -> decltype(call()) {
    if (!stepper_.enter(client_)) return Error(Errc::stopped, "this client was killed");
    auto result = call();
    stepper_.done(client_, fmt::format("{} {}", what, result.ok() ? "ok" : word(result.error().kind())));
    return result;
  }

  const std::unique_ptr<Storage> inner_;
  Stepper& stepper_;
  const std::size_t client_;
};

}  // namespace

std::unique_ptr<Storage> stepped(std::unique_ptr<Storage> inner, Stepper& stepper, std::size_t client) {
  return std::make_unique<SteppedStorage>(std::move(inner), stepper, client);
}

Trace run_stepped(std::uint64_t seed, const std::function<std::unique_ptr<Storage>()>& open,
                  const std::vector<Client>& clients, const std::vector<Kill>& kills, unsigned stay) {
  Stepper stepper(seed, clients.size(), kills, stay);
  std::vector<std::unique_ptr<Storage>> stores;
  for (std::size_t i = 0; i < clients.size(); ++i) stores.push_back(stepped(open(), stepper, i));
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < clients.size(); ++i) {
    threads.emplace_back([&, i] {
      clients[i](*stores[i]);
      stepper.finished(i);
    });
  }
  threads.clear();
  return stepper.trace();
}

}  // namespace holdfast::testing
