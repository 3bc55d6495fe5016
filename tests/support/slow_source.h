// SlowSource: a source in memory that takes its time, by a fake clock, can be walked again, and requests a
// stop when told to. What it counts is for threads of a pipeline, too.
#pragma once

#include <atomic>
#include <functional>

#include "tests/support/backup_world.h"

namespace holdfast::testing {

class SlowSource final : public source::Source {
 public:
  SlowSource(const FileSet& files, FakeClock& clock, std::int64_t each_ns = 0);

  std::int64_t step_ns = 0;  // a step of the walk takes this
  std::int64_t open_ns;      // and a file's content this
  bool can_restart = true;
  int stop_at_item = -1;  // requests a stop before the item of this number
  int stop_at_read = -1;  // … in this read, counted over all files
  std::function<void()> on_restart;
  std::function<void()> on_open;

  std::atomic<int> opened = 0, restarts = 0, reads = 0, reads_after_stop = 0;

  std::stop_token token() const { return stop_.get_token(); }
  void replace(const FileSet& files) { source_ = std::make_unique<source::MemorySource>(files.list()); }

  Result<bool> next(source::Item& item, std::stop_token stop) override;
  Result<void> complete(source::Item& item) override { return source_->complete(item); }
  Result<std::unique_ptr<source::Content>> open(const source::Item& item) override;
  bool repeatable() const override { return can_restart; }
  Result<void> restart() override;

 private:
  class Watched;
  std::unique_ptr<source::MemorySource> source_;
  FakeClock& clock_;
  std::stop_source stop_;
  int items_ = 0;
};

}  // namespace holdfast::testing
