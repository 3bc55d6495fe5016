#include "repo/rotation.h"

#include <fmt/core.h>

#include <algorithm>

#include "repo/rights.h"

namespace holdfast::repo {

namespace {

using Key = Repository::KeyInfo;

constexpr int kTurnsMax = 16;

bool may_read(const Key& key) { return (key.slot.rights >> static_cast<unsigned>(Right::read) & 1) != 0; }

// One made from the other by a rotation: opened by the same, for the same.
bool are_twins(const Key& a, const Key& b) {
  return same_lock(a.slot, b.slot) && a.slot.rights == b.slot.rights;
}

// What it lacks would be lacking in all keys that it makes.
Result<void> expect_all_epochs(const Secrets& secrets, const LogState& log) {
  for (const auto& [epoch, read] : log.read_keys) {
    const auto at = secrets.reads.find(epoch);
    if (at != secrets.reads.end() && crypto::x25519_public(at->second) == read) continue;
    return Error(Errc::denied,
                 fmt::format("this key does not open what was written in epoch {} of the read key", epoch))
        .hint("rotate with a key that opens all epochs; `holdfast key list` shows them");
  }
  return {};
}

Error outrun() { return Error(Errc::conflict, "another rotation was faster").hint("run the command again"); }

// The log decides which of two rotations at once comes first.
Result<void> announce(const Repository& repository, LogState& log, const Rotate& entry,
                      std::stop_token stop) {
  for (int turns = 0; turns < kTurnsMax; ++turns) {
    const auto known = log.read_keys.find(entry.epoch);
    if (known != log.read_keys.end() && known->second == entry.read) return {};
    if (known != log.read_keys.end()) return Error(Errc::exists, "that epoch has another key");
    const auto appended = repository.log().append(log, entry, repository.now(), repository.random(), stop);
    if (!appended.ok() && appended.error().kind() != Errc::conflict) return appended.error().copy();
    TRY_AS(repository.log().follow(log, stop), "reading the log");
  }
  return Error(Errc::conflict, "the log moves on too fast").hint("run the command again");
}

}  // namespace

Result<RotationPlan> plan_rotation(const Repository& repository, std::stop_token stop) {
  TRY(require(repository.secrets(), {Right::admin, Right::read, Right::index, Right::log}));
  LogState log;
  TRY_AS(repository.log().follow(log, stop), "reading the log");
  TRY(expect_all_epochs(repository.secrets(), log));
  RotationPlan plan;
  plan.epoch = log.epoch() + 1;
  std::vector<Key> keys = TRY(repository.keys(stop));
  // The newest of twins stands for all; the one in use before any.
  std::sort(keys.begin(), keys.end(), [](const Key& a, const Key& b) {
    return std::tuple(!a.current, b.slot.created) < std::tuple(!b.current, a.slot.created);
  });
  for (Key& key : keys) {
    if (!may_read(key)) continue;
    const bool is_copy = std::any_of(plan.renewed.begin(), plan.renewed.end(),
                                     [&](const Key& other) { return are_twins(key, other); });
    const bool renewable = key.current || key.slot.kind == SlotKind::recipient;
    auto& list = is_copy ? plan.left_over : renewable ? plan.renewed : plan.stale;
    list.push_back(std::move(key));
  }
  if (plan.renewed.empty() || !plan.renewed.front().current)
    return Error(Errc::usage, "the key in use is not in the repository").hint("open it with a password");
  return plan;
}

Result<std::vector<std::string>> rotate(const Repository& repository, const RotationPlan& plan,
                                        std::stop_token stop) {
  LogState log;
  TRY_AS(repository.log().follow(log, stop), "reading the log");
  if (log.epoch() + 1 != plan.epoch) return outrun();
  TRY(expect_all_epochs(repository.secrets(), log));
  Secrets secrets = repository.secrets().copy();
  // A rotation that was cut off before it was announced may have left its key: it is taken up.
  secrets.reads.erase(secrets.reads.upper_bound(plan.epoch), secrets.reads.end());
  if (!secrets.reads.contains(plan.epoch)) {
    crypto::Key fresh;
    repository.random().fill(fresh.writable());
    secrets.reads.emplace(plan.epoch, std::move(fresh));
  }
  const auto entry = make_rotate(repository.config(), secrets, plan.epoch,
                                 crypto::x25519_public(secrets.reads.at(plan.epoch)));
  std::vector<std::string> made;
  for (const Key& key : plan.renewed) {
    std::string name = TRY_AS(repository.renew_key(key, secrets, stop), "making " + key.name + " anew");
    made.push_back(std::move(name));
  }
  auto announced = announce(repository, log, entry, stop);
  if (!announced.ok() && announced.error().kind() == Errc::exists) {
    // Ours is not the key of that epoch and never will be.
    for (const std::string& name : made) TRY(repository.drop_key(name, stop));
    return outrun();
  }
  TRY_AS(std::move(announced), "announcing the new read key");
  for (const auto* old : {&plan.renewed, &plan.left_over}) {
    for (const Key& key : *old) TRY_AS(repository.drop_key(key.name, stop), "removing the old " + key.name);
  }
  return made;
}

}  // namespace holdfast::repo
