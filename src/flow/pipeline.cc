#include "flow/pipeline.h"

namespace holdfast::flow {

namespace {

// Jobs waiting for each thread: enough to keep it busy while the walk goes on.
constexpr std::size_t kQueuedPerWorker = 8;

}  // namespace

// However a thread ends, by an exception too, those who wait for it get to know.
class Pipeline::Ending {
 public:
  explicit Ending(Pipeline& pipeline) : pipeline_(pipeline) {}
  Ending(const Ending&) = delete;
  Ending& operator=(const Ending&) = delete;
  ~Ending() {
    if (well) return;
    const std::lock_guard lock(pipeline_.mutex_);
    pipeline_.failed_ = true;
    pipeline_.changed_.notify_all();
  }
  bool well = false;

 private:
  Pipeline& pipeline_;
};

Pipeline::Pipeline(unsigned workers, const StoreContext& context)
    : context_(context), queue_max_(workers * kQueuedPerWorker) {
  if (workers <= 1) {
    inline_.emplace(context_);
    return;
  }
  for (unsigned i = 0; i < workers; ++i) {
    group_.spawn([this](std::stop_token inner) {
      Ending ending(*this);
      Result<void> result = work(inner);
      ending.well = result.ok();
      return result;
    });
  }
}

Pipeline::~Pipeline() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }
  group_.stop();
}

Result<void> Pipeline::work(std::stop_token stop) {
  Storer storer(context_);
  for (;;) {
    std::shared_ptr<Job> job;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, stop, [&] { return closed_ || !queue_.empty(); });
      if (stop.stop_requested()) return Error(Errc::stopped, "stopped");
      if (queue_.empty()) break;
      job = std::move(queue_.front());
      queue_.pop_front();
      changed_.notify_all();
    }
    TRY(perform(storer, *job, stop));
  }
  return storer.finish(stop);
}

Result<void> Pipeline::perform(Storer& storer, Job& job, std::stop_token stop) {
  const std::stop_token& halt = context_.halt;
  bool given_up = halt.stop_requested();
  if (!given_up) {
    const auto is_stop = [](const Error& error) { return error.kind() == Errc::stopped; };
    Result<void> done = storer.run(job, stop);
    if (halt.stop_requested() && !stop.stop_requested()) {
      // Either the storer ended where it was, or the source did so in the middle of a read.
      given_up = done.ok() ? job.range && job.range->result.error && is_stop(*job.range->result.error)
                           : is_stop(done.error());
    }
    if (!given_up && !done.ok()) return done;
  }
  const std::lock_guard lock(mutex_);
  job.incomplete = given_up;
  job.done = true;
  changed_.notify_all();
  return {};
}

// The first storing thread's error, once one failed.
Result<void> Pipeline::failure() {
  group_.stop();
  TRY(group_.wait());
  return Error(Errc::stopped, "stopped");
}

Result<void> Pipeline::submit(const std::shared_ptr<Job>& job) {
  if (inline_) return perform(*inline_, *job, {});
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, context_.halt, [&] { return failed_ || queue_.size() < queue_max_; });
    if (!failed_ && context_.halt.stop_requested()) {
      job->incomplete = job->done = true;
      return {};
    }
    if (!failed_) {
      queue_.push_back(job);
      changed_.notify_all();
      return {};
    }
  }
  return failure();
}

bool Pipeline::done(const Job& job) {
  const std::lock_guard lock(mutex_);
  return job.done;
}

Result<void> Pipeline::wait(const Job& job) {
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return failed_ || job.done; });
    if (job.done) return {};
  }
  return failure();
}

Result<void> Pipeline::finish() {
  if (inline_) return inline_->finish({});
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }
  return group_.wait();
}

}  // namespace holdfast::flow
