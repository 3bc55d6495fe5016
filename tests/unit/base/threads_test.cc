// Queue and TaskGroup: back-pressure, draining, and ends that are never missed.
#include <gtest/gtest.h>

#include <atomic>
#include <new>
#include <thread>

#include "base/queue.h"
#include "base/task_group.h"

namespace holdfast {

TEST(Queue, GivesInOrderAndDrainsAfterClose) {
  Queue<int> queue(3);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(queue.push(i, {}));
  queue.close();
  EXPECT_FALSE(queue.push(3, {}));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(queue.pop({}), i);
  EXPECT_EQ(queue.pop({}), std::nullopt);
  EXPECT_EQ(queue.pop({}), std::nullopt);
}

TEST(Queue, AStoppedCallerGetsNothingAndPutsNothing) {
  Queue<int> queue(2);
  EXPECT_TRUE(queue.push(1, {}));
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(queue.push(2, stop.get_token()));
  EXPECT_EQ(queue.pop(stop.get_token()), std::nullopt);
  EXPECT_EQ(queue.pop({}), 1);  // others go on
}

TEST(Queue, NeverHoldsMoreThanItsCapacityAndLosesNothing) {
  constexpr int kItems = 2000;
  Queue<int> queue(2);
  std::atomic<int> pushed = 0, popped = 0, sum = 0;
  std::atomic<bool> exceeded = false;
  TaskGroup producers, consumers;
  for (int p = 0; p < 3; ++p) {
    producers.spawn([&, p](std::stop_token stop) -> Result<void> {
      for (int i = p; i < kItems; i += 3) {
        if (!queue.push(i, stop)) return Error(Errc::failed, "closed early");
        // An item counts as popped only after it left, and each consumer holds at most one more.
        if (++pushed - popped > 2 + 2) exceeded = true;
      }
      return {};
    });
  }
  for (int c = 0; c < 2; ++c) {
    consumers.spawn([&](std::stop_token stop) -> Result<void> {
      while (const auto item = queue.pop(stop)) {
        sum += *item;
        ++popped;
      }
      return {};
    });
  }
  EXPECT_TRUE(producers.wait().ok());
  queue.close();
  EXPECT_TRUE(consumers.wait().ok());
  EXPECT_EQ(popped, kItems);
  EXPECT_EQ(sum, kItems * (kItems - 1) / 2);
  EXPECT_FALSE(exceeded);
}

TEST(Queue, WaitersWakeOnCloseAndOnStop) {
  Queue<int> full(1), empty(1);
  ASSERT_TRUE(full.push(0, {}));
  std::stop_source stop;
  TaskGroup closed, stopped;
  const auto push = [&](std::stop_token token) -> Result<void> {
    return full.push(1, token) ? Result<void>(Error(Errc::failed, "pushed into a full queue"))
                               : Result<void>();
  };
  const auto pop = [&](std::stop_token token) -> Result<void> {
    return empty.pop(token) ? Result<void>(Error(Errc::failed, "popped from nothing")) : Result<void>();
  };
  stopped.spawn(push);
  stopped.spawn(pop);
  stopped.stop();
  EXPECT_TRUE(stopped.wait().ok());
  closed.spawn(push);
  closed.spawn(pop);
  full.close();
  empty.close();
  EXPECT_TRUE(closed.wait().ok());
}

TEST(TaskGroup, TheFirstFailureStopsTheOthersAndIsTheOneGiven) {
  TaskGroup group;
  std::atomic<int> stopped = 0;
  Queue<int> never(1);
  for (int i = 0; i < 3; ++i) {
    group.spawn([&](std::stop_token stop) -> Result<void> {
      never.pop(stop);
      if (stop.stop_requested()) ++stopped;
      return Error(Errc::stopped, "was stopped");
    });
  }
  group.spawn([](std::stop_token) -> Result<void> { return Error(Errc::damaged, "the cause"); });
  const auto result = group.wait();
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().text(), "the cause");
  EXPECT_EQ(stopped, 3);
  EXPECT_TRUE(group.token().stop_requested());
  EXPECT_TRUE(group.wait().ok());  // told once
}

TEST(TaskGroup, StopsWithTheOuterTokenBeforeAndAfterItBegan) {
  std::stop_source outer;
  TaskGroup group(outer.get_token());
  Queue<int> never(1);
  const auto wait_for_stop = [&](std::stop_token stop) -> Result<void> {
    never.pop(stop);
    return {};
  };
  group.spawn(wait_for_stop);
  EXPECT_FALSE(group.token().stop_requested());
  outer.request_stop();
  EXPECT_TRUE(group.wait().ok());
  TaskGroup late(outer.get_token());
  EXPECT_TRUE(late.token().stop_requested());
  late.spawn(wait_for_stop);
  EXPECT_TRUE(late.wait().ok());
}

TEST(TaskGroup, ItsOwnStopLeavesTheOuterAlone) {
  std::stop_source outer;
  TaskGroup group(outer.get_token());
  group.stop();
  EXPECT_FALSE(outer.stop_requested());
}

TEST(TaskGroup, TheDestructorStopsAndJoins) {
  std::atomic<int> ended = 0;
  Queue<int> never(1);
  {
    TaskGroup group;
    for (int i = 0; i < 4; ++i) {
      group.spawn([&](std::stop_token stop) -> Result<void> {
        never.pop(stop);
        ++ended;
        return {};
      });
    }
  }
  EXPECT_EQ(ended, 4);
}

TEST(TaskGroup, ThrowsToTheWaiterWhatATaskThrew) {
  TaskGroup group;
  std::atomic<bool> stopped = false;
  group.spawn([](std::stop_token) -> Result<void> { throw std::bad_alloc(); });
  group.spawn([&](std::stop_token stop) -> Result<void> {
    while (!stop.stop_requested()) std::this_thread::yield();
    stopped = true;
    return {};
  });
  EXPECT_THROW(static_cast<void>(group.wait()), std::bad_alloc);
  EXPECT_TRUE(stopped);
}

}  // namespace holdfast
