// TaskGroup: threads that end together. The first task that fails stops the others; wait() joins
// them and returns that failure; the destructor stops and joins. No thread outlives its group.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

#include "base/result.h"

namespace holdfast {

class TaskGroup {
 public:
  // Tasks also stop when `outer` is requested to.
  explicit TaskGroup(std::stop_token outer = {});
  ~TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  using Task = std::function<Result<void>(std::stop_token)>;
  void spawn(Task task);
  // The token that tasks get: requested when a task failed, stop() was called, or `outer` was.
  std::stop_token token() const { return stop_.get_token(); }
  void stop() { stop_.request_stop(); }
  Result<void> wait();

 private:
  std::stop_source stop_;
  std::stop_callback<std::function<void()>> outer_;
  std::mutex mutex_;  // guards failure_
  std::optional<Error> failure_;
  std::vector<std::thread> threads_;
};

}  // namespace holdfast
