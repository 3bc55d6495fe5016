// Duration: a span of calendar time as operators write it: "2y5m7d3h" (years, months, days, hours; also
// weeks, "2w", which count as days). And CivilTime: what a local clock and calendar show at an instant. Both
// are plain values; local_time() is the only place that asks the system for its time zone, all else is pure
// and thread-safe.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace holdfast::model {

struct Duration {
  int years = 0;
  int months = 0;
  int days = 0;
  int hours = 0;
  bool operator==(const Duration&) const = default;
  bool zero() const { return *this == Duration{}; }
};

// Each unit at most once, in any order; not negative, each number at most 100,000, and so the days of weeks
// and days together. Error: usage.
Result<Duration> parse_duration(std::string_view text);

// "2y5m7d3h", without the units that are 0; "0h" where all are.
std::string to_string(const Duration& duration);

struct CivilTime {
  int year = 1970;
  int month = 1;  // 1 to 12
  int day = 1;    // 1 to 31
  int hour = 0;
  int minute = 0;
  int second = 0;
  int zone_seconds = 0;  // local time less UTC
  auto operator<=>(const CivilTime&) const = default;
};

// What the calendar shows in the zone of this process (TZ) at `seconds` since 1970-01-01 UTC.
CivilTime local_time(std::int64_t seconds);

// The instant at which `time` is shown; days beyond the month's end run on into the next month.
std::int64_t instant(const CivilTime& time);

// The instant that lies `duration` before `from`: years, months and days on the calendar, at the zone offset
// of `from`, then hours. A day that a month lacks runs on: one month before March 31 is March 3 (or 2).
std::int64_t instant_before(const CivilTime& from, const Duration& duration);

// Days since 1970-01-01 of a date in the Gregorian calendar; `day` may lie outside the month.
std::int64_t days_from_civil(std::int64_t year, int month, int day);

// The week of ISO 8601 that a date lies in: weeks begin on Monday and belong to the year of their Thursday.
struct IsoWeek {
  int year = 0;
  int week = 0;  // 1 to 53
  bool operator==(const IsoWeek&) const = default;
};
IsoWeek iso_week(const CivilTime& time);

}  // namespace holdfast::model
