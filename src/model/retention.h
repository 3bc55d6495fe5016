// Retention: which snapshots a policy keeps, and why, in the words of restic's `forget`. Rules are ORed.
// Within each group the newest snapshot of a period stands for it, and only periods that have a snapshot
// count. Weeks are those of ISO 8601. Days and hours are those of the civil time in the facts. Pure: no
// clock, no zone; thread-safe. Checkpoints take no part. The last good (complete) snapshot of a group stays
// unless the policy says otherwise.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/select.h"

namespace holdfast::model {

enum class Period : std::uint8_t { last, hourly, daily, weekly, monthly, yearly };
inline constexpr std::size_t kPeriods = 6;
inline constexpr int kUnlimited = -1;

// What one --keep-* option says: so many, or all within a time before the newest snapshot of the group.
struct Keep {
  int count = 0;  // or kUnlimited
  Duration within;
  bool empty() const { return count == 0 && within.zero(); }
  bool operator==(const Keep&) const = default;
};

// "7", "unlimited", "-1" or a duration as "7d". Error: usage.
Result<Keep> parse_keep(std::string_view text);

struct Policy {
  // By Period. `last` within a time is --keep-within. Both halves of a Keep may be set; they are ORed.
  std::array<Keep, kPeriods> keep;
  std::vector<TagList> tags;    // each list: keep what has all its tags
  bool may_remove_all = false;  // an empty policy is taken at its word
  bool may_remove_last_good = false;

  Keep& operator[](Period period) { return keep[static_cast<std::size_t>(period)]; }
  bool empty() const;
};

struct GroupBy {
  bool host = true;
  bool paths = true;
  bool tags = false;
  bool operator==(const GroupBy&) const = default;
};

// "host,paths", "host", "tags", …; "" puts all into one group. Error: usage.
Result<GroupBy> parse_group_by(std::string_view text);

// What a snapshot's rules still had to give after it was looked at, by Period; kUnlimited stays.
using Counters = std::array<int, kPeriods>;

struct Verdict {
  std::size_t snapshot = 0;  // index into the list given
  bool keep = false;
  std::vector<std::string> reasons;  // "last snapshot", "daily within 7d", "has tags [a, b]"; empty: removed
  Counters counters{};
};

struct Group {
  std::string domain;              // of its snapshots: never of several
  std::string host;                // empty where it is not grouped by
  std::vector<std::string> paths;  // sorted
  TagList tags;                    // sorted
  std::vector<Verdict> verdicts;   // newest first
};

// Judges every snapshot but checkpoints; groups in order of key domain, host, paths, tags. `now_seconds`
// (since 1970-01-01 UTC) keeps a snapshot from the future, which a wrong clock has made, from pushing the
// others out of --keep-within. Error: usage, where the policy is empty and may not remove all, or a count is
// below -1.
Result<std::vector<Group>> judge(std::span<const SnapshotFacts> snapshots, const Policy& policy,
                                 const GroupBy& group_by, std::int64_t now_seconds);

}  // namespace holdfast::model
