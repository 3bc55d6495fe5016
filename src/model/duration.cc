#include "model/duration.h"

#include <fmt/format.h>
#include <time.h>

#include <array>
#include <charconv>

namespace holdfast::model {
namespace {

constexpr int kNumberMax = 100'000;
constexpr std::int64_t kSecondsPerDay = 86'400;

Error bad_duration(std::string_view text) {
  return Error(Errc::usage, fmt::format("'{}' is not a duration", text))
      .hint("write years, months, weeks, days and hours as in 2y5m7d3h");
}

std::int64_t floor_divide(std::int64_t value, std::int64_t by) {
  return value / by - (value % by < 0 ? 1 : 0);
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
  constexpr std::string_view kUnits = "ymwdh";
  std::array<int, kUnits.size()> numbers{};
  std::array<bool, kUnits.size()> given{};
  std::string_view rest = text;
  if (rest.empty()) return bad_duration(text);
  while (!rest.empty()) {
    int number = 0;
    const char* const end = rest.data() + rest.size();
    const auto [at, failure] = std::from_chars(rest.data(), end, number);
    if (failure != std::errc{} || at == end || number < 0 || number > kNumberMax || rest[0] == '-') {
      return bad_duration(text);
    }
    const std::size_t unit = kUnits.find(*at);
    if (unit == std::string_view::npos || given[unit]) return bad_duration(text);
    numbers[unit] = number;
    given[unit] = true;
    rest.remove_prefix(static_cast<std::size_t>(at + 1 - rest.data()));
  }
  const int days = 7 * numbers[2] + numbers[3];
  if (days > kNumberMax)
    return bad_duration(text);  // so that what to_string() says of it can be parsed again
  return Duration{.years = numbers[0], .months = numbers[1], .days = days, .hours = numbers[4]};
}

std::string to_string(const Duration& duration) {
  std::string out;
  if (duration.years != 0) out += fmt::format("{}y", duration.years);
  if (duration.months != 0) out += fmt::format("{}m", duration.months);
  if (duration.days != 0) out += fmt::format("{}d", duration.days);
  if (duration.hours != 0 || out.empty()) out += fmt::format("{}h", duration.hours);
  return out;
}

CivilTime local_time(std::int64_t seconds) {
  const time_t time = seconds;
  struct tm out {};
  const bool none =
      ::localtime_r(&time, &out) == nullptr || out.tm_year > 1'000'000 || out.tm_year < -1'000'000;
  if (none) return {};  // no snapshot is of then
  return {.year = out.tm_year + 1900,
          .month = out.tm_mon + 1,
          .day = out.tm_mday,
          .hour = out.tm_hour,
          .minute = out.tm_min,
          .second = out.tm_sec,
          .zone_seconds = static_cast<int>(out.tm_gmtoff)};
}

// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": years begin in March, so that the leap day
// is last, in eras of 400 years of 146,097 days; 719,468 days lie between 0000-03-01 and 1970-01-01.
std::int64_t days_from_civil(std::int64_t year, int month, int day) {
  const std::int64_t shifted = month <= 2 ? year - 1 : year;
  const std::int64_t era = floor_divide(shifted, 400);
  const std::int64_t year_of_era = shifted - era * 400;
  const std::int64_t month_from_march = month > 2 ? month - 3 : month + 9;
  const std::int64_t day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
  const std::int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + day_of_era - 719'468;
}

std::int64_t instant(const CivilTime& time) {
  const std::int64_t days = days_from_civil(time.year, time.month, time.day);
  return days * kSecondsPerDay + time.hour * 3600 + time.minute * 60 + time.second - time.zone_seconds;
}

std::int64_t instant_before(const CivilTime& from, const Duration& duration) {
  const std::int64_t months =
      (from.year - std::int64_t{duration.years}) * 12 + from.month - 1 - duration.months;
  CivilTime to = from;
  to.year = static_cast<int>(floor_divide(months, 12));
  to.month = static_cast<int>(months - 12 * std::int64_t{to.year}) + 1;
  to.day = from.day - duration.days;
  return instant(to) - std::int64_t{duration.hours} * 3600;
}

IsoWeek iso_week(const CivilTime& time) {
  const std::int64_t days = days_from_civil(time.year, time.month, time.day);
  const std::int64_t monday = days - (days + 3 - 7 * floor_divide(days + 3, 7));  // 1970-01-01 was a Thursday
  const std::int64_t thursday = monday + 3;
  int year = time.year;
  if (thursday < days_from_civil(year, 1, 1)) --year;
  if (thursday >= days_from_civil(year + 1, 1, 1)) ++year;
  return {.year = year, .week = static_cast<int>((thursday - days_from_civil(year, 1, 1)) / 7) + 1};
}

}  // namespace holdfast::model
