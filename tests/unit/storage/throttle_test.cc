#include "storage/throttle.h"

#include "storage/memory.h"
#include "tests/support/fake_clock.h"

namespace holdfast::storage {

namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;

}  // namespace

TEST(Throttle, UploadsAndDownloadsKeepTheirRates) {
  testing::FakeClock clock;
  const auto storage =
      throttled(open_memory(), {.upload_bytes_per_second = 1000, .download_bytes_per_second = 4000}, clock);
  const Buffer bytes(1000);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(storage->put(fmt::format("{}", i), bytes, {}).ok());
  // 20,000 bytes, less the quarter of a second that a burst may be ahead.
  EXPECT_EQ(clock.ticks_ns(), 20 * kSecondNs - kSecondNs / 4);
  const std::int64_t before = clock.ticks_ns();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(storage->get(fmt::format("{}", i), {}, {}).ok());
  EXPECT_EQ(clock.ticks_ns() - before, 5 * kSecondNs - kSecondNs / 4);
}

TEST(Throttle, IdleTimeIsNotSavedBeyondABurst) {
  testing::FakeClock clock;
  const auto storage = throttled(open_memory(), {.upload_bytes_per_second = 1000}, clock);
  clock.advance_ns(1000 * kSecondNs);
  const std::int64_t before = clock.ticks_ns();
  ASSERT_TRUE(storage->put("a", Buffer(10'000), {}).ok());
  EXPECT_EQ(clock.ticks_ns() - before, 10 * kSecondNs - kSecondNs / 4);
}

TEST(Throttle, NoRateIsNoLimitAndAStopEndsTheWait) {
  testing::FakeClock clock;
  const auto storage = throttled(open_memory(), {.upload_bytes_per_second = 1}, clock);
  std::stop_source source;
  source.request_stop();
  EXPECT_EQ(storage->put("a", Buffer(100), source.get_token()).error().kind(), Errc::stopped);
  const auto free = throttled(open_memory(), {}, clock);
  ASSERT_TRUE(free->put("a", Buffer(10'000), {}).ok());
  EXPECT_EQ(clock.ticks_ns(), 0);
}

}  // namespace holdfast::storage
