#include "base/task_group.h"

namespace holdfast {

TaskGroup::TaskGroup(std::stop_token outer) : outer_(std::move(outer), [this] { stop_.request_stop(); }) {}

TaskGroup::~TaskGroup() {
  stop();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void TaskGroup::spawn(Task task) {
  threads_.emplace_back([this, task = std::move(task)] {
    Result<void> result = task(stop_.get_token());
    if (result.ok()) return;
    {
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::move(result).error();
    }
    stop_.request_stop();
  });
}

Result<void> TaskGroup::wait() {
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  const std::lock_guard lock(mutex_);
  if (failure_) return std::move(*std::exchange(failure_, std::nullopt));
  return {};
}

}  // namespace holdfast
