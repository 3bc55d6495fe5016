#include "model/retention.h"

#include <gtest/gtest.h>
#include <time.h>

#include <set>

namespace holdfast::model {
namespace {

constexpr std::int64_t kFarFuture = 1LL << 40;

struct tm utc(std::int64_t seconds) {
  const time_t time = seconds;
  struct tm out {};
  ::gmtime_r(&time, &out);
  return out;
}

SnapshotFacts at(std::int64_t seconds) {
  const struct tm t = utc(seconds);
  SnapshotFacts out;
  out.seconds = seconds;
  out.local = {.year = t.tm_year + 1900,
               .month = t.tm_mon + 1,
               .day = t.tm_mday,
               .hour = t.tm_hour,
               .minute = t.tm_min,
               .second = t.tm_sec};
  out.host = "ann";
  out.paths = {"/home"};
  return out;
}

SnapshotFacts at(int year, int month, int day, int hour, int minute = 0) {
  return at(instant({.year = year, .month = month, .day = day, .hour = hour, .minute = minute}));
}

// -- the reference: each rule by its definition, periods by strftime, times by timegm
// -------------------------------

std::string label(Period period, std::int64_t seconds) {
  static constexpr const char* kFormats[] = {"%s", "%Y-%m-%d %H", "%Y-%m-%d", "%G-%V", "%Y-%m", "%Y"};
  const struct tm t = utc(seconds);
  char text[32];
  EXPECT_GT(::strftime(text, sizeof text, kFormats[static_cast<int>(period)], &t), 0U);
  return text;
}

std::int64_t earlier(std::int64_t from, const Duration& by) {
  struct tm t = utc(from);
  t.tm_year -= by.years;
  t.tm_mon -= by.months;
  t.tm_mday -= by.days;
  t.tm_hour -= by.hours;
  return ::timegm(&t);
}

// The times (newest first, all different) that one rule keeps.
std::set<std::int64_t> reference(const std::vector<std::int64_t>& times, Period period, const Keep& keep) {
  std::set<std::int64_t> kept;
  const auto representatives = [&](std::int64_t after) {
    std::vector<std::int64_t> out;
    std::set<std::string> seen;
    for (const std::int64_t time : times) {
      if (time > after && seen.insert(label(period, time)).second) out.push_back(time);
    }
    return out;
  };
  const std::vector<std::int64_t> all = representatives(INT64_MIN);
  const std::size_t count =
      keep.count == kUnlimited ? times.size() + 1 : static_cast<std::size_t>(keep.count);
  for (std::size_t i = 0; i < std::min(count, all.size()); ++i) kept.insert(all[i]);
  if (count > all.size()) kept.insert(times.back());
  if (!keep.within.zero()) {
    const std::int64_t after = earlier(times.front(), keep.within);
    for (const std::int64_t time : representatives(after)) kept.insert(time);
    if (times.back() > after) kept.insert(times.back());
  }
  return kept;
}

std::set<std::int64_t> kept_by(const std::vector<SnapshotFacts>& snapshots, const Policy& policy) {
  std::set<std::int64_t> kept;
  const auto groups = judge(snapshots, policy, {}, kFarFuture);
  EXPECT_TRUE(groups.ok());
  for (const Group& group : groups.value()) {
    for (const Verdict& verdict : group.verdicts) {
      EXPECT_EQ(verdict.keep, !verdict.reasons.empty());
      if (verdict.keep) kept.insert(snapshots[verdict.snapshot].seconds);
    }
  }
  return kept;
}

// Around the ends of a day, a month, a year, an ISO week and a leap day; and week 9 of two years.
std::vector<std::int64_t> times() {
  std::vector<std::int64_t> out;
  for (const SnapshotFacts& snapshot : {at(2026, 12, 31, 23), at(2027, 1, 1, 0), at(2027, 1, 3, 23, 59),
                                        at(2027, 1, 4, 0), at(2027, 1, 4, 0, 50), at(2027, 1, 31, 12),
                                        at(2027, 3, 1, 12), at(2028, 2, 29, 12), at(2028, 3, 31, 12)}) {
    out.push_back(snapshot.seconds);
  }
  return out;
}

std::vector<Keep> keeps() {
  std::vector<Keep> out;
  for (const int count : {0, 1, 2, 3, kUnlimited}) out.push_back({.count = count, .within = {}});
  for (const char* text : {"1h", "1d", "27d", "1m", "2m1h", "15m", "1y", "2y5m7d3h"}) {
    out.push_back({.count = 0, .within = parse_duration(text).value()});
  }
  out.push_back({.count = 2, .within = {.months = 15}});
  return out;
}

// Calls `body` with each non-empty subset of the times, as snapshots in an order that is not sorted.
template <typename Body>
void for_all_subsets(Body body) {
  const std::vector<std::int64_t> all = times();
  for (unsigned subset = 1; subset < 1U << all.size(); ++subset) {
    std::vector<std::int64_t> newest_first;
    std::vector<SnapshotFacts> snapshots;
    for (std::size_t i = all.size(); i-- > 0;) {
      if ((subset >> i & 1U) == 0) continue;
      newest_first.push_back(all[i]);
      snapshots.insert(i % 2 != 0 ? snapshots.begin() : snapshots.end(), at(all[i]));
    }
    body(newest_first, snapshots);
  }
}

TEST(Retention, AgreesWithTheReferenceOnEveryRuleAndSubset) {
  for_all_subsets([](const auto& newest_first, const auto& snapshots) {
    for (std::size_t p = 0; p < kPeriods; ++p) {
      for (const Keep& keep : keeps()) {
        Policy policy{.keep = {}, .tags = {}, .may_remove_all = true, .may_remove_last_good = true};
        policy.keep[p] = keep;
        ASSERT_EQ(kept_by(snapshots, policy), reference(newest_first, static_cast<Period>(p), keep))
            << "period " << p << " count " << keep.count << " within " << to_string(keep.within);
      }
    }
  });
}

TEST(Retention, KeepsWhatAnyRuleKeeps) {
  const std::vector<Keep> some = {keeps()[1], keeps()[2], keeps()[8]};
  for_all_subsets([&](const auto& newest_first, const auto& snapshots) {
    for (std::size_t p = 0; p < kPeriods * kPeriods; ++p) {
      const auto a = static_cast<Period>(p % kPeriods);
      const auto b = static_cast<Period>(p / kPeriods);
      if (a >= b) continue;
      for (std::size_t k = 0; k < some.size() * some.size(); ++k) {
        Policy policy{.keep = {}, .tags = {}, .may_remove_all = true, .may_remove_last_good = true};
        policy[a] = some[k % some.size()];
        policy[b] = some[k / some.size()];
        std::set<std::int64_t> wanted = reference(newest_first, a, policy[a]);
        wanted.merge(reference(newest_first, b, policy[b]));
        ASSERT_EQ(kept_by(snapshots, policy), wanted);
      }
    }
  });
}

// -- words, groups, and what protects
// ------------------------------------------------------------------------------

std::vector<std::vector<std::string>> reasons(const std::vector<SnapshotFacts>& snapshots,
                                              const Policy& policy) {
  std::vector<std::vector<std::string>> out;
  const auto groups = judge(snapshots, policy, {}, kFarFuture);
  for (const Verdict& verdict : groups.value().at(0).verdicts) out.push_back(verdict.reasons);
  return out;
}

using Reasons = std::vector<std::vector<std::string>>;

TEST(Retention, GivesReasonsAndCounters) {
  std::vector<SnapshotFacts> snapshots = {at(2027, 3, 2, 9), at(2027, 3, 1, 9), at(2027, 3, 1, 8)};
  snapshots[1].tags = {"b", "a"};
  Policy policy;
  policy[Period::last] = {.count = 1, .within = {.hours = 25}};
  policy[Period::daily] = {.count = 3, .within = {.days = 2}};
  policy[Period::yearly] = {.count = kUnlimited, .within = {}};
  policy.tags = {{"a", "b"}, {""}, {"c"}};
  EXPECT_EQ(reasons(snapshots, policy),
            (Reasons{{"has tags []", "within 25h", "last snapshot", "daily snapshot", "yearly snapshot",
                      "daily within 2d"},
                     {"has tags [a, b]", "within 25h", "daily snapshot", "daily within 2d"},
                     {"has tags []", "oldest daily snapshot", "oldest yearly snapshot",
                      "oldest daily within 2d"}}));
  const auto groups = judge(snapshots, policy, {}, kFarFuture);
  EXPECT_EQ(groups.value()[0].verdicts[0].counters, (Counters{0, 0, 2, 0, 0, kUnlimited}));
  EXPECT_EQ(groups.value()[0].verdicts[2].counters, (Counters{0, 0, 0, 0, 0, kUnlimited}));
}

TEST(Retention, KeepsTheLastGoodOfAGroup) {
  std::vector<SnapshotFacts> snapshots = {at(2027, 3, 3, 9), at(2027, 3, 2, 9), at(2027, 3, 1, 9)};
  snapshots[0].complete = false;
  Policy policy;
  policy[Period::last] = {.count = 1, .within = {}};
  EXPECT_EQ(reasons(snapshots, policy), (Reasons{{"last snapshot"}, {"last good snapshot"}, {}}));
  policy.may_remove_last_good = true;
  EXPECT_EQ(reasons(snapshots, policy), (Reasons{{"last snapshot"}, {}, {}}));

  Policy none;
  none.may_remove_all = true;
  EXPECT_EQ(reasons(snapshots, none), (Reasons{{}, {"last good snapshot"}, {}}));
  for (SnapshotFacts& snapshot : snapshots) snapshot.complete = false;
  EXPECT_EQ(reasons(snapshots, none), (Reasons{{"last partial snapshot"}, {}, {}}));
  none.may_remove_last_good = true;
  EXPECT_EQ(reasons(snapshots, none), (Reasons{{}, {}, {}}));
}

TEST(Retention, RefusesAnEmptyPolicyAndNonsense) {
  const std::vector<SnapshotFacts> snapshots = {at(2027, 3, 3, 9)};
  const auto empty = judge(snapshots, {}, {}, kFarFuture);
  ASSERT_FALSE(empty.ok());
  EXPECT_EQ(empty.error().kind(), Errc::usage);
  EXPECT_FALSE(empty.error().hint().empty());
  Policy zero;
  zero[Period::daily] = {.count = 0, .within = {}};
  EXPECT_FALSE(judge(snapshots, zero, {}, kFarFuture).ok());
  Policy negative;
  negative[Period::daily] = {.count = -2, .within = {}};
  EXPECT_FALSE(judge(snapshots, negative, {}, kFarFuture).ok());
  for (const char* text : {"", "-2", "many", "7x", "1.5", "99999999999"})
    EXPECT_FALSE(parse_keep(text).ok()) << text;
  EXPECT_EQ(parse_keep("7").value(), (Keep{.count = 7, .within = {}}));
  EXPECT_EQ(parse_keep("-1").value(), (Keep{.count = kUnlimited, .within = {}}));
  EXPECT_EQ(parse_keep("unlimited").value(), (Keep{.count = kUnlimited, .within = {}}));
  EXPECT_EQ(parse_keep("7d").value(), (Keep{.count = 0, .within = {.days = 7}}));
}

TEST(Retention, GroupsByHostPathsAndTags) {
  std::vector<SnapshotFacts> snapshots(5, at(2027, 3, 3, 9));
  snapshots[1].host = "bob";
  snapshots[2].paths = {"/home", "/etc"};
  snapshots[3].paths = {"/etc", "/home"};
  snapshots[4].tags = {"db"};
  Policy policy;
  policy[Period::last] = {.count = 1, .within = {}};
  const auto sizes = [&](std::string_view words) {
    std::vector<std::size_t> out;
    const auto groups = judge(snapshots, policy, parse_group_by(words).value(), kFarFuture);
    for (const Group& group : groups.value()) out.push_back(group.verdicts.size());
    return out;
  };
  using Sizes = std::vector<std::size_t>;
  EXPECT_EQ(sizes("host,paths"), (Sizes{2, 2, 1}));  // ann /etc,/home; ann /home; bob /home
  EXPECT_EQ(sizes("host"), (Sizes{4, 1}));
  EXPECT_EQ(sizes("paths"), (Sizes{2, 3}));
  EXPECT_EQ(sizes("host,paths,tags"), (Sizes{2, 1, 1, 1}));
  EXPECT_EQ(sizes(""), (Sizes{5}));
  EXPECT_EQ(parse_group_by("host,paths").value(), GroupBy{});
  EXPECT_FALSE(parse_group_by("host,color").ok());
}

TEST(Retention, CheckpointsTakeNoPart) {
  std::vector<SnapshotFacts> snapshots = {at(2027, 3, 3, 9), at(2027, 3, 2, 9)};
  snapshots[0].checkpoint = true;
  Policy policy;
  policy[Period::last] = {.count = 1, .within = {}};
  const auto groups = judge(snapshots, policy, {}, kFarFuture);
  ASSERT_EQ(groups.value().size(), 1U);
  ASSERT_EQ(groups.value()[0].verdicts.size(), 1U);
  EXPECT_EQ(groups.value()[0].verdicts[0].snapshot, 1U);
}

TEST(Retention, ASnapshotFromTheFutureDoesNotPushOthersOut) {
  const std::vector<SnapshotFacts> snapshots = {at(2099, 1, 1, 0), at(2027, 3, 2, 9), at(2027, 3, 1, 9)};
  Policy policy;
  policy[Period::last].within = {.days = 2};
  const auto groups = judge(snapshots, policy, {}, at(2027, 3, 2, 10).seconds);
  for (const Verdict& verdict : groups.value()[0].verdicts) EXPECT_TRUE(verdict.keep);
  const auto all_future = judge(snapshots, policy, {}, 0);
  for (const Verdict& verdict : all_future.value()[0].verdicts) EXPECT_TRUE(verdict.keep);
}

}  // namespace
}  // namespace holdfast::model
