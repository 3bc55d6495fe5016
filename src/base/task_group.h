// TaskGroup: threads that end together. The first task that fails stops the others; wait() joins
// them and returns that failure, or throws what a task threw (memory ran out); the destructor stops and
// joins. No thread outlives its group, so declare it after all that its tasks use.
#pragma once

#include <exception>
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
  void run(const Task& task);

  std::stop_source stop_;
  std::stop_callback<std::function<void()>> outer_;
  std::mutex mutex_;  // guards what is below
  std::optional<Error> failure_;
  std::exception_ptr thrown_;
  std::vector<std::thread> threads_;
};

}  // namespace holdfast
