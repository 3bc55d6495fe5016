#include "repo/rotation.h"

#include <fmt/core.h>

#include <algorithm>

#include "repo/append.h"
#include "repo/rights.h"

namespace holdfast::repo {

namespace {

using Key = Repository::KeyInfo;

constexpr int kTurnsMax = 16;

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
  const auto decide = [&]() -> Result<std::optional<LogEntry>> {
    const auto known = log.read_keys.find(entry.epoch);
    if (known == log.read_keys.end()) return std::optional<LogEntry>(entry);
    if (known->second == entry.read) return std::optional<LogEntry>();
    return Error(Errc::exists, "that epoch has another key");
  };
  return append_decided(repository, log, decide, kTurnsMax, stop);
}

// A recipient whom an administrator gave this slot, and from whom none took it since. Who can write into the
// store can put any slot there, and back what was removed. Each rotation renews all, so one of an older
// epoch was renewed or removed.
bool is_authorised(const Config& config, const LogState& log, const Key& key) {
  const auto id = parse_key_name(key.name);
  return key.slot.kind == SlotKind::recipient && id && !log.removed_keys.contains(*id) &&
         key.slot.epoch >= log.epoch() && made_by_admin(config.admin, config.id, key.name, key.slot);
}

}  // namespace

Result<RotationPlan> plan_rotation(const Repository& repository, std::stop_token stop) {
  TRY(require(repository.secrets(), {Right::admin, Right::read, Right::index, Right::log}));
  RotationPlan plan;
  TRY_AS(repository.log().follow(plan.log, stop), "reading the log");
  TRY(expect_all_epochs(repository.secrets(), plan.log));
  plan.epoch = plan.log.epoch() + 1;
  std::vector<Key> keys = TRY(repository.keys(stop));
  // The newest of twins stands for all; the one in use before any.
  std::sort(keys.begin(), keys.end(), [](const Key& a, const Key& b) {
    return std::tuple(!a.current, b.slot.epoch, b.slot.created) <
           std::tuple(!b.current, a.slot.epoch, a.slot.created);
  });
  for (Key& key : keys) {
    // Its holder would be left behind without a word.
    if (!key.trouble.empty())
      return Error(Errc::failed, "a key slot can't be read: " + key.trouble)
          .hint("where it is damaged, `holdfast key remove` it first");
    if (!allows(key.slot.rights, Right::read)) continue;
    const bool is_copy = std::any_of(plan.renewed.begin(), plan.renewed.end(),
                                     [&](const Key& other) { return are_twins(key.slot, other.slot); });
    const bool renewable = key.current || is_authorised(repository.config(), plan.log, key);
    auto& list = is_copy ? plan.left_over : renewable ? plan.renewed : plan.stale;
    list.push_back(std::move(key));
  }
  if (plan.renewed.empty() || !plan.renewed.front().current)
    return Error(Errc::usage, "the key in use is not in the repository").hint("open it with a password");
  return plan;
}

Result<std::vector<std::string>> rotate(const Repository& repository, const RotationPlan& plan,
                                        std::stop_token stop) {
  LogState log = plan.log;
  TRY_AS(repository.log().follow(log, stop), "reading the log");
  if (log.epoch() + 1 != plan.epoch) return outrun();
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
