#include "base/task_group.h"

#include <utility>

namespace holdfast {

TaskGroup::TaskGroup(std::stop_token outer) : outer_(std::move(outer), [this] { stop_.request_stop(); }) {}

TaskGroup::~TaskGroup() {
  stop();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void TaskGroup::run(const Task& task) {
  try {
    Result<void> result = task(stop_.get_token());
    if (result.ok()) return;
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::move(result).error();
  } catch (...) {  // memory ran out, or a library broke its word
    const std::lock_guard lock(mutex_);
    if (!thrown_) thrown_ = std::current_exception();
  }
  stop_.request_stop();
}

void TaskGroup::spawn(Task task) {
  threads_.emplace_back([this, task = std::move(task)] { run(task); });
}

Result<void> TaskGroup::wait() {
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  const std::lock_guard lock(mutex_);
  if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
  if (failure_) return std::move(*std::exchange(failure_, std::nullopt));
  return {};
}

}  // namespace holdfast
