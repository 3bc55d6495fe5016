#include "flow/collection.h"

#include <atomic>

#include <fmt/core.h>

#include "base/task_group.h"
#include "repo/relocate.h"

namespace holdfast::flow {

using model::PackId;
using model::TransactionId;
using repo::kOwnObjects;

namespace {

// Times that others may append between a mark and the entry that it was made for.
constexpr int kTurnsMax = 200;
constexpr std::int64_t kMillisecond = 1'000'000;
constexpr std::uint64_t kPollMs = 500;

}  // namespace

// False where somebody else appended first.
Result<bool> Collection::append(repo::LogState& log, const repo::LogEntry& entry, std::stop_token stop) {
  const auto done = repository_.log().append(log, entry, repository_.now(), repository_.random(), stop);
  if (done.ok()) return true;
  if (done.error().kind() == Errc::conflict) return false;
  return done.error().copy();
}

Result<PrunePlan> Collection::plan(std::stop_token stop) {
  PrunePlan plan = TRY(plan_prune(repository_, marker_, options_, anew_, stop));
  objects_ = plan.objects;
  std::erase_if(plan.steps, [&](const PrunePlan::Step& step) { return hopeless_.contains(step.item.pack); });
  return plan;
}

Result<void> Collection::abort_all(const std::vector<TransactionId>& ids, std::stop_token stop) {
  for (const TransactionId& id : ids) {
    TRY(repo::abort_transaction(repository_, id, "taken for crashed by prune", stop));
    observer_.note("aborted the unfinished transaction " + repo::text(id));
    report_.aborted.push_back(id);
  }
  return {};
}

Result<void> Collection::witness(repo::Mark& mark, std::stop_token stop) {
  repo::Witness entry;
  for (const TransactionId& id : mark.live) {
    if (!mark.log.witnessed.contains(id)) entry.transactions.push_back(id);
  }
  if (entry.transactions.empty()) return {};
  if (!repository_.secrets().read) {
    return Error(Errc::denied,
                 fmt::format("{} snapshots were never checked by a walk of their trees, and this key may "
                             "not read them",
                             entry.transactions.size()))
        .hint("run `holdfast prune --confirm-only` with a key of the role admin first");
  }
  std::set<TransactionId> gone;
  for (const TransactionId& id : entry.transactions) {
    const auto confirmed = witness_.confirm(*mark.commits.at(id), mark.log, stop);
    if (confirmed.ok()) continue;
    // Perhaps it was forgotten since, and another prune removed what the walk was looking for.
    const repo::Mark now = TRY(marker_.mark(stop));
    if (now.live.contains(id)) return confirmed.error().copy();
    gone.insert(id);
  }
  std::erase_if(entry.transactions, [&](const TransactionId& id) { return gone.contains(id); });
  if (entry.transactions.empty()) return {};
  const bool appended = TRY(append(mark.log, entry, stop));
  if (appended) report_.confirmed += entry.transactions.size();
  return {};
}

Result<bool> Collection::condemn(PrunePlan& plan, std::stop_token stop) {
  condemned_.clear();
  repo::Condemn entry;
  for (const PrunePlan::Step& step : plan.steps) {
    if (step.condemned_by) {
      condemned_[*step.condemned_by].push_back(step.item);
    } else {
      entry.items.push_back(step.item);
    }
  }
  if (entry.items.empty()) return true;
  const std::uint64_t number = plan.mark.log.next;
  const bool appended = TRY(append(plan.mark.log, entry, stop));
  if (!appended) return false;
  condemned_[number] = std::move(entry.items);
  anew_.clear();
  return true;
}

Result<bool> Collection::settle(std::stop_token stop) {
  std::set<TransactionId> noted;
  bool first = true;
  for (std::uint64_t waited_ms = 0;; waited_ms += kPollMs) {
    repo::Mark mark = TRY(marker_.mark(stop));
    if (std::exchange(first, false)) {
      noted = mark.undecided;  // listed after the condemnation stood in the log
    } else {
      std::erase_if(noted, [&](const TransactionId& id) { return !mark.undecided.contains(id); });
    }
    if (options_.abort_open_after_s == 0 && !noted.empty()) {
      TRY(abort_all({noted.begin(), noted.end()}, stop));
      continue;
    }
    if (noted.empty()) return true;
    if (waited_ms >= options_.wait_ms) break;
    if (waited_ms == 0) observer_.note(fmt::format("waiting for {} running backups to end", noted.size()));
    if (!repository_.clock().sleep_ns(static_cast<std::int64_t>(kPollMs) * kMillisecond, stop)) {
      return Error(Errc::stopped, "stopped");
    }
  }
  report_.blocked_by.assign(noted.begin(), noted.end());
  return false;
}

Result<void> Collection::remove_condemned(std::stop_token stop) {
  for (auto& [entry, items] : condemned_) {
    Turn turn = Turn::again;
    for (int turns = 0; turn == Turn::again; ++turns) {
      if (turns == kTurnsMax) return Error(Errc::conflict, "the log moved on again and again");
      turn = TRY(try_delete(entry, items, stop));
    }
  }
  return {};
}

// G5: marks by the log's head; then deletes by exactly that head.
Result<Collection::Turn> Collection::try_delete(std::uint64_t entry, Items& items, std::stop_token stop) {
  repo::Mark mark = TRY(marker_.mark(stop));
  std::erase_if(items, [&](const repo::Item& item) {
    const auto force = mark.log.condemned.find(item.pack);
    return force == mark.log.condemned.end() || force->second.entry != entry ||
           mark.log.retired(item.pack.transaction) || anew_.contains(item.pack);
  });
  if (items.empty()) return Turn::done;
  const std::uint64_t head = mark.log.next;
  TRY(witness(mark, stop));
  if (mark.log.next != head || std::any_of(mark.live.begin(), mark.live.end(), [&](const TransactionId& id) {
        return !mark.log.witnessed.contains(id);
      })) {
    return Turn::again;
  }
  const bool lifted = TRY(lift_needed(mark, entry, items, stop));
  if (lifted) return Turn::again;
  const std::size_t before = items.size();
  TRY(copy_kept(mark, entry, items, stop));
  if (items.size() != before) return Turn::again;
  repo::Delete final;
  final.condemning = entry;
  final.head = mark.log.next - 1;
  for (const repo::Item& item : items) {
    final.items.push_back({item, static_cast<std::uint32_t>(entry + 1)});
  }
  const bool deleted = TRY(append(mark.log, final, stop));
  if (!deleted) return Turn::again;
  for (const repo::Item& item : items) {
    const bool whole = item.pack.pack == kOwnObjects;
    ++(whole               ? report_.deleted_transactions
       : item.kept.empty() ? report_.deleted_packs
                           : report_.relocated_packs);
  }
  return Turn::done;
}

// G6. True where the log was appended to, or ought to have been: mark again.
Result<bool> Collection::lift_needed(repo::Mark& mark, std::uint64_t entry, const Items& items,
                                     std::stop_token stop) {
  repo::Uncondemn lift;
  lift.condemning = entry;
  for (const repo::Item& item : items) {
    if (mark.needs(item)) lift.items.push_back(item.pack);
  }
  if (lift.items.empty()) return false;
  const bool appended = TRY(append(mark.log, lift, stop));
  if (appended) report_.lifted += lift.items.size();
  return true;
}

// G7, and the barrier before the DELETE. Items that can't be copied are taken out.
Result<void> Collection::copy_kept(const repo::Mark& mark, std::uint64_t entry, Items& items,
                                   std::stop_token stop) {
  std::set<PackId> failed;
  std::uint64_t copies = 0;
  for (const repo::Item& item : items) {
    if (item.kept.empty() || copied_.contains({item.pack, entry})) continue;
    const auto from = mark.log.generation(item.pack);
    HF_ASSERT(from.has_value());
    repo::Relocation how{item.pack, *from, static_cast<std::uint32_t>(entry + 1), item.kept};
    how.lost = mark.log.lost_of(item.pack);
    const auto bytes = repo::relocate(repository_.storage(), repository_.config().id,
                                      *repository_.secrets().index, how, stop);
    if (bytes.ok()) {
      copied_.insert({item.pack, entry});
      report_.bytes_copied += bytes.value();
      objects_[item.pack][static_cast<std::uint32_t>(entry + 1)] = bytes.value();
      ++copies;
      continue;
    }
    const Error& error = bytes.error();
    if (error.kind() == Errc::conflict) {
      anew_.insert(item.pack);
    } else if (error.kind() == Errc::damaged || error.kind() == Errc::unsupported ||
               error.kind() == Errc::not_found) {
      // Gone: moved by another prune, as the next mark will tell; or lost, which is for `check` to say. It
      // stays as it is.
      if (error.kind() != Errc::not_found) {
        observer_.problem(repo::pack_name(item.pack, *from), "copy", error);
        ++report_.problems;
        hopeless_.insert(item.pack);
      }
    } else {
      return error.copy();
    }
    failed.insert(item.pack);
  }
  if (copies > 0) TRY(repository_.storage().barrier(stop));
  std::erase_if(items, [&](const repo::Item& item) { return failed.contains(item.pack); });
  return {};
}

Result<void> Collection::sweep(const repo::Mark& mark, std::stop_token stop) {
  repo::LogState log = mark.log;
  TRY_AS(repository_.log().follow(log, stop), "reading the log");
  std::vector<storage::ObjectInfo> garbage;
  for (auto& [pack, generations] : objects_) {
    std::erase_if(generations, [&, &id = pack](const auto& object) {
      if (!is_garbage(log, id, object.first)) return false;
      garbage.push_back({repo::pack_name(id, object.first), object.second});
      return true;
    });
  }
  std::set<TransactionId> retired = mark.retired;
  for (const auto& [id, commit] : mark.commits) retired.insert(id);
  retired.insert(mark.aborted.begin(), mark.aborted.end());
  for (const TransactionId& id : retired) {
    if (!log.retired(id)) continue;
    for (const char* what : {"refs", "man", "open", "fate"})
      garbage.push_back({repo::transaction_name(id, what), 0});
  }
  return remove_all(garbage, stop);
}

// In any order, again and again, by any number of collectors. What can't be removed now is left to the next
// prune.
Result<void> Collection::remove_all(const std::vector<storage::ObjectInfo>& objects, std::stop_token stop) {
  std::atomic<std::size_t> next = 0;
  std::atomic<std::uint64_t> removed = 0, bytes = 0, left = 0;
  const auto work = [&](std::stop_token token) -> Result<void> {
    for (std::size_t i = next++; i < objects.size(); i = next++) {
      const auto gone = repository_.storage().remove(objects[i].name, token);
      if (gone.ok()) {
        ++removed;
        bytes += objects[i].size_bytes;
        continue;
      }
      if (gone.error().kind() == Errc::stopped) return gone.error().copy();
      ++left;
      observer_.problem(objects[i].name, "remove", gone.error());
    }
    return {};
  };
  const std::size_t threads = std::min<std::size_t>(options_.connections, objects.size());
  Result<void> result;
  if (threads <= 1) {
    result = work(stop);
  } else {
    TaskGroup group(stop);
    for (std::size_t i = 0; i < threads; ++i) group.spawn(work);
    result = group.wait();
  }
  report_.objects_removed += removed;
  report_.bytes_removed += bytes;
  report_.objects_left += left;
  return result;
}

}  // namespace holdfast::flow
