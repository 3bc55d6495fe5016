#include "model/retention.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <tuple>

namespace holdfast::model {
namespace {

constexpr std::array<std::string_view, kPeriods> kWords = {"last",   "hourly",  "daily",
                                                           "weekly", "monthly", "yearly"};

// Equal for two snapshots iff they lie in one period. Each snapshot is a period of its own for `last`.
std::int64_t period_key(Period period, const CivilTime& time, std::size_t place) {
  const std::int64_t month = std::int64_t{time.year} * 12 + time.month;
  const std::int64_t day = days_from_civil(time.year, time.month, time.day);
  switch (period) {
    case Period::last:
      return static_cast<std::int64_t>(place);
    case Period::hourly:
      return day * 24 + time.hour;
    case Period::daily:
      return day;
    case Period::weekly: {
      const IsoWeek week = iso_week(time);
      return std::int64_t{week.year} * 54 + week.week;
    }
    case Period::monthly:
      return month;
    case Period::yearly:
      return time.year;
  }
  return 0;
}

// One half of a --keep-* option while a group is walked from its newest snapshot to its oldest.
class Rule {
 public:
  Rule(Period period, int count) : period_(period), count_(count) {}
  Rule(Period period, const Duration& within, std::int64_t after)
      : period_(period), count_(within.zero() ? 0 : kUnlimited), within_(within), after_(after) {}

  // Nothing, or why this snapshot stays. The oldest of all stays while something is left to give, so that the
  // history reaches as far back as it can.
  std::optional<std::string> take(const SnapshotFacts& snapshot, std::size_t place, bool oldest) {
    if (count_ == 0 || (after_ && snapshot.seconds <= *after_)) return std::nullopt;
    const std::int64_t key = period_key(period_, snapshot.local, place);
    const bool fresh = key != seen_;
    if (!fresh && !oldest) return std::nullopt;
    seen_ = key;
    if (count_ > 0) --count_;
    return (fresh ? "" : "oldest ") + reason();
  }

  int count() const { return count_; }

 private:
  std::string reason() const {
    const std::string_view word = kWords[static_cast<std::size_t>(period_)];
    if (!after_) return fmt::format("{} snapshot", word);
    if (period_ == Period::last) return fmt::format("within {}", to_string(within_));
    return fmt::format("{} within {}", word, to_string(within_));
  }

  Period period_;
  int count_;
  Duration within_;
  std::optional<std::int64_t> after_;  // only snapshots later than this
  std::optional<std::int64_t> seen_;
};

// The time that --keep-within counts from: the newest snapshot that is not from the future. Are all, then the
// oldest: it keeps every one.
CivilTime newest_time(std::span<const SnapshotFacts> snapshots, const std::vector<Verdict>& newest_first,
                      std::int64_t now_seconds) {
  for (const Verdict& verdict : newest_first) {
    const SnapshotFacts& snapshot = snapshots[verdict.snapshot];
    if (snapshot.seconds <= now_seconds) return snapshot.local;
  }
  return snapshots[newest_first.back().snapshot].local;
}

// A policy must not leave a group without anything good to restore; nor, where nothing is good, without
// anything.
void keep_last_good(std::span<const SnapshotFacts> snapshots, std::vector<Verdict>& newest_first) {
  const auto good = std::find_if(newest_first.begin(), newest_first.end(), [&](const Verdict& verdict) {
    return snapshots[verdict.snapshot].complete;
  });
  Verdict& last = good == newest_first.end() ? newest_first.front() : *good;
  if (last.keep) return;
  last.keep = true;
  last.reasons.emplace_back(good == newest_first.end() ? "last partial snapshot" : "last good snapshot");
}

void judge_group(std::span<const SnapshotFacts> snapshots, const Policy& policy, std::int64_t now_seconds,
                 std::vector<Verdict>& newest_first) {
  const CivilTime newest = newest_time(snapshots, newest_first, now_seconds);
  std::vector<Rule> counted;
  std::vector<Rule> timed;
  for (std::size_t i = 0; i < kPeriods; ++i) {
    const Keep& keep = policy.keep[i];
    counted.emplace_back(static_cast<Period>(i), keep.count);
    timed.emplace_back(static_cast<Period>(i), keep.within, instant_before(newest, keep.within));
  }
  for (std::size_t place = 0; place < newest_first.size(); ++place) {
    Verdict& verdict = newest_first[place];
    const SnapshotFacts& snapshot = snapshots[verdict.snapshot];
    const bool oldest = place + 1 == newest_first.size();
    for (const TagList& tags : policy.tags) {
      if (has_tags(snapshot, tags)) verdict.reasons.push_back("has tags " + to_string(tags));
    }
    const auto ask = [&](Rule& rule) {
      if (auto reason = rule.take(snapshot, place, oldest)) verdict.reasons.push_back(std::move(*reason));
    };
    ask(timed.front());  // the order of restic's reasons
    std::for_each(counted.begin(), counted.end(), ask);
    std::for_each(timed.begin() + 1, timed.end(), ask);
    verdict.keep = !verdict.reasons.empty();
    for (std::size_t i = 0; i < kPeriods; ++i) verdict.counters[i] = counted[i].count();
  }
  if (!policy.may_remove_last_good) keep_last_good(snapshots, newest_first);
}

std::vector<std::string> sorted(std::vector<std::string> list) {
  std::sort(list.begin(), list.end());
  return list;
}

}  // namespace

bool Policy::empty() const {
  return tags.empty() && std::all_of(keep.begin(), keep.end(), [](const Keep& one) { return one.empty(); });
}

Result<Keep> parse_keep(std::string_view text) {
  if (text == "unlimited" || text == "-1") return Keep{.count = kUnlimited, .within = {}};
  int count = 0;
  const char* const end = text.data() + text.size();
  const auto [at, failure] = std::from_chars(text.data(), end, count);
  if (failure == std::errc{} && at == end && count >= 0) return Keep{.count = count, .within = {}};
  auto within = parse_duration(text);
  if (within.ok()) return Keep{.count = 0, .within = within.value()};
  return Error(Errc::usage, fmt::format("'{}' does not say how much to keep", text))
      .hint("give a number, 'unlimited', or a time as in 2y5m7d3h");
}

Result<GroupBy> parse_group_by(std::string_view text) {
  GroupBy out{.host = false, .paths = false, .tags = false};
  if (text.empty()) return out;
  for (const std::string& word : parse_tag_list(text)) {
    if (word == "host" || word == "hosts") {
      out.host = true;
    } else if (word == "path" || word == "paths") {
      out.paths = true;
    } else if (word == "tag" || word == "tags") {
      out.tags = true;
    } else {
      return Error(Errc::usage, fmt::format("can't group by '{}'", word))
          .hint("group by host, paths and tags");
    }
  }
  return out;
}

Result<std::vector<Group>> judge(std::span<const SnapshotFacts> snapshots, const Policy& policy,
                                 const GroupBy& group_by, std::int64_t now_seconds) {
  if (policy.empty() && !policy.may_remove_all) {
    return Error(Errc::usage, "the policy is empty: it would remove every snapshot")
        .hint("say what to keep, for example --keep-daily 7 --keep-weekly 5");
  }
  for (const Keep& keep : policy.keep) {
    if (keep.count < kUnlimited) {
      return Error(Errc::usage, fmt::format("can't keep {} snapshots", keep.count))
          .hint("give a number, or -1 for unlimited");
    }
  }
  using Key = std::tuple<std::string, std::string, std::vector<std::string>, TagList>;
  std::map<Key, std::vector<Verdict>> by_key;
  for (const std::size_t i : select(snapshots, Filter{})) {
    const SnapshotFacts& snapshot = snapshots[i];
    Key key(snapshot.domain, group_by.host ? snapshot.host : "",
            group_by.paths ? sorted(snapshot.paths) : TagList{},
            group_by.tags ? sorted(snapshot.tags) : TagList{});
    by_key[std::move(key)].push_back({.snapshot = i, .keep = false, .reasons = {}, .counters = {}});
  }
  std::vector<Group> out;
  for (auto& [key, verdicts] : by_key) {
    judge_group(snapshots, policy, now_seconds, verdicts);
    const auto& [domain, host, paths, tags] = key;
    out.push_back(
        {.domain = domain, .host = host, .paths = paths, .tags = tags, .verdicts = std::move(verdicts)});
  }
  return out;
}

}  // namespace holdfast::model
