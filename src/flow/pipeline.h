// Pipeline: gives jobs to storing threads, in order, with a bound on what is under way; and waits for them.
// With one worker the work is done on the calling thread, so that a simulation is deterministic. Once the
// context's `halt` is requested all jobs that are not done are so within the time that a chunk takes: those
// under way end there, no other begins, and they are marked incomplete.
#pragma once

#include <condition_variable>
#include <deque>

#include "base/task_group.h"
#include "flow/storer.h"

namespace holdfast::flow {

class Pipeline {
 public:
  Pipeline(unsigned workers, const StoreContext& context);
  ~Pipeline();

  // Waits for room. An error is that of a storing thread.
  Result<void> submit(const std::shared_ptr<Job>& job);
  Result<void> wait(const Job& job);
  bool done(const Job& job);
  // Lets the threads end what is queued, puts their packs, and joins them.
  Result<void> finish();

 private:
  class Ending;
  Result<void> work(std::stop_token stop);
  Result<void> perform(Storer& storer, Job& job, std::stop_token stop);
  Result<void> failure();

  const StoreContext context_;
  std::optional<Storer> inline_;  // where there is one worker
  std::size_t queue_max_;
  std::mutex mutex_;  // guards what follows; Job::done and Job::incomplete
  std::condition_variable_any changed_;
  std::deque<std::shared_ptr<Job>> queue_;
  bool closed_ = false;
  bool failed_ = false;
  TaskGroup group_;
};

}  // namespace holdfast::flow
