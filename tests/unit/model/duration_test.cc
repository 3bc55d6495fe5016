#include "model/duration.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <time.h>

namespace holdfast::model {
namespace {

struct tm utc(std::int64_t seconds) {
  const time_t time = seconds;
  struct tm out {};
  ::gmtime_r(&time, &out);
  return out;
}

CivilTime civil(std::int64_t seconds) {
  const struct tm t = utc(seconds);
  return {.year = t.tm_year + 1900,
          .month = t.tm_mon + 1,
          .day = t.tm_mday,
          .hour = t.tm_hour,
          .minute = t.tm_min,
          .second = t.tm_sec};
}

constexpr std::int64_t kDay = 86'400;

TEST(Duration, ParsesWhatItPrints) {
  for (const char* text : {"2y5m7d3h", "1y", "12m", "7d", "36h", "1y1h"}) {
    const auto parsed = parse_duration(text);
    ASSERT_TRUE(parsed.ok()) << text;
    EXPECT_EQ(to_string(parsed.value()), text);
  }
  EXPECT_EQ(parse_duration("2y5m7d3h").value(), (Duration{.years = 2, .months = 5, .days = 7, .hours = 3}));
  EXPECT_EQ(parse_duration("3h7d").value(), (Duration{.days = 7, .hours = 3}));
  EXPECT_EQ(parse_duration("2w1d").value(), Duration{.days = 15});
  EXPECT_EQ(to_string(parse_duration("0d").value()), "0h");
}

TEST(Duration, RefusesWhatIsNone) {
  for (const char* text : {"", "7", "d", "7x", "7d7d", "-7d", "+7d", " 7d", "7 d", "1y 2d", "7D", "100001d",
                           "99999999999999999999d", "7d3", "14286w", "14285w6d"}) {
    const auto parsed = parse_duration(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_EQ(parsed.error().kind(), Errc::usage);
    EXPECT_FALSE(parsed.error().hint().empty());
  }
}

TEST(CivilTime, AgreesWithTheSystemOnFourHundredYears) {
  for (std::int64_t day = -60'000; day < 90'000; ++day) {
    const std::int64_t seconds = day * kDay + 12'345;
    const CivilTime time = civil(seconds);
    ASSERT_EQ(instant(time), seconds);
    const struct tm t = utc(seconds);
    char text[16];
    ASSERT_GT(::strftime(text, sizeof text, "%G %V", &t), 0U);
    const IsoWeek week = iso_week(time);
    char ours[32];
    snprintf(ours, sizeof ours, "%d %02d", week.year, week.week);
    ASSERT_STREQ(ours, text) << day;
  }
}

TEST(CivilTime, GoesBackByTheCalendar) {
  const CivilTime march31{.year = 2027, .month = 3, .day = 31, .hour = 1};
  const auto before = [&](const Duration& d) { return civil(instant_before(march31, d)); };
  EXPECT_EQ(before({}), march31);
  EXPECT_EQ(before({.months = 1}), (CivilTime{.year = 2027, .month = 3, .day = 3, .hour = 1}));
  EXPECT_EQ(before({.months = 3}), (CivilTime{.year = 2026, .month = 12, .day = 31, .hour = 1}));
  EXPECT_EQ(before({.months = 15}), (CivilTime{.year = 2025, .month = 12, .day = 31, .hour = 1}));
  EXPECT_EQ(before({.days = 31, .hours = 2}), (CivilTime{.year = 2027, .month = 2, .day = 27, .hour = 23}));
  EXPECT_EQ(before({.years = 3, .days = 31}), (CivilTime{.year = 2024, .month = 2, .day = 29, .hour = 1}));
}

TEST(CivilTime, FollowsTheZoneOfTheProcess) {
  ASSERT_EQ(::setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1), 0);
  ::tzset();
  const std::int64_t winter = instant({.year = 2027, .month = 1, .day = 31, .hour = 23, .minute = 30});
  EXPECT_EQ(local_time(winter),
            (CivilTime{.year = 2027, .month = 2, .day = 1, .hour = 0, .minute = 30, .zone_seconds = 3600}));
  const std::int64_t summer = instant({.year = 2027, .month = 7, .day = 1, .hour = 12});
  EXPECT_EQ(local_time(summer),
            (CivilTime{.year = 2027, .month = 7, .day = 1, .hour = 14, .zone_seconds = 7200}));
  EXPECT_EQ(instant(local_time(summer)), summer);
  ASSERT_EQ(::unsetenv("TZ"), 0);
  ::tzset();
}

}  // namespace
}  // namespace holdfast::model
