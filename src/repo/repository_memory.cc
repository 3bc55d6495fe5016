// How a repository's present is held against what this machine saw of it.
#include <fmt/core.h>

#include <algorithm>

#include "crypto/hash.h"
#include "repo/repository.h"

namespace holdfast::repo {

void Repository::remember_in(const std::string& directory, std::string_view place) {
  if (directory.empty() || !secrets_.index) return;
  memory_ = std::make_unique<Memory>(
      directory, config_.id, place,
      crypto::derive_key("holdfast 0 memory", {secrets_.index->bytes(), config_.id}));
}

Result<Memory::Seen> Repository::recall() const {
  return memory_ == nullptr ? Result<Memory::Seen>(Memory::Seen()) : memory_->recall();
}

namespace {

Memory::Seen seen_in(const History& history) {
  Memory::Seen seen{history.log.next, history.log.last_hash, {}};
  for (const Snapshot& s : history.commits) {
    Memory::Fate& newest = seen.newest[s.commit.transaction.writer];
    if (s.commit.transaction.sequence > newest.sequence) newest = {s.commit.transaction.sequence, s.hash};
  }
  return seen;
}

}  // namespace

// What the log says against `seen`: "" where nothing.
Result<std::string> Repository::log_against(const Memory::Seen& seen, const LogState& log,
                                            std::stop_token stop) const {
  if (seen.log_next == 0) return std::string();
  if (log.next < seen.log_next) {
    return fmt::format("{} was there and is not: the log ends before it", log_name(seen.log_next - 1));
  }
  Hash now = log.last_hash;
  if (log.next > seen.log_next) {
    const std::string name = log_name(seen.log_next - 1);
    const Buffer object = TRY_AS(doors_.storage.get(name, {}, stop), "reading " + name);
    const Unwrapped vital = TRY(unwrap_vital(Vital::log, object, name));
    now = crypto::hash(vital.body);
  }
  if (now == seen.log_hash) return std::string();
  return log_name(seen.log_next - 1) + " is not the one that was there: the log was forked";
}

Result<void> Repository::compare(const Result<Memory::Seen>& seen, History& history,
                                 std::stop_token stop) const {
  if (memory_ == nullptr) return {};
  const auto contradict = [&](const std::string& why) {
    history.contradictions.push_back("the repository is not what this machine saw before: " + why);
  };
  if (!seen.ok()) {
    history.contradictions.push_back("what this machine saw before can't be read: " + seen.error().text());
    return {};
  }
  if (history.log_trouble.empty()) {
    const std::string of_log = TRY(log_against(seen.value(), history.log, stop));
    if (!of_log.empty()) contradict(of_log);
  }
  for (const auto& [writer, fate] : seen.value().newest) {
    const model::TransactionId id{writer, fate.sequence};
    if (history.log.retired(id)) continue;
    const std::string name = transaction_name(id, "fate");
    // Damage that is told already, and keeps nobody from writing.
    const bool told = std::any_of(history.unreadable.begin(), history.unreadable.end(),
                                  [&](const std::string& why) { return why.find(name) != why.npos; });
    if (told) continue;
    const Snapshot* const now = history.find(id);
    if (now != nullptr && now->hash == fate.hash) continue;
    contradict(name + (now != nullptr ? " is not the one that was there" : " was there and is not"));
  }
  if (history.contradictions.empty()) remember(seen_in(history));
  return {};
}

Error Repository::contradicted(const History& history) {
  std::string all;
  for (const std::string& text : history.contradictions) all += (all.empty() ? "" : "; ") + text;
  return Error(Errc::damaged, all)
      .hint(
          "the store was put back to an older state, or objects were removed: find out why and by whom; "
          "`holdfast check --accept-history` then accepts it as it is");
}

void Repository::remember(const Memory::Seen& seen) const {
  if (memory_ == nullptr) return;
  const auto kept = memory_->add(seen);
  const std::lock_guard lock(mutex_);
  if (!kept.ok() && memory_trouble_.empty()) memory_trouble_ = kept.error().text();
}

void Repository::remember(const LogState& log, const Snapshot& committed) const {
  const model::TransactionId& id = committed.commit.transaction;
  remember({log.next, log.last_hash, {{id.writer, {id.sequence, committed.hash}}}});
}

Result<void> Repository::accept(const History& history) const {
  if (memory_ == nullptr) return {};
  return memory_->replace(seen_in(history));
}

std::string Repository::memory_trouble() const {
  const std::lock_guard lock(mutex_);
  return memory_trouble_;
}

}  // namespace holdfast::repo
