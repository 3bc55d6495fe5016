// ThreadedSource: the same items as another source gives, found by a thread of its own a little ahead of
// where they are wanted, so that the system calls of a walk and the work on what it finds share two cores. It
// runs at most a thousand items ahead: what it knows of a file is that much older when the file is read.
// Thread-safe as every Source; complete() and open() go straight to the other.
#pragma once

#include "base/queue.h"
#include "base/task_group.h"
#include "source/source.h"

namespace holdfast::source {

class ThreadedSource final : public Source {
 public:
  explicit ThreadedSource(std::unique_ptr<Source> inner);

  Result<bool> next(Item& item, std::stop_token stop) override;
  Result<void> complete(Item& item) override { return inner_->complete(item); }
  Result<std::unique_ptr<Content>> open(const Item& item) override { return inner_->open(item); }
  bool repeatable() const override { return inner_->repeatable(); }
  Result<void> restart() override;

 private:
  // Items [0, count) are there; the rest is kept for its memory.
  struct Batch {
    std::vector<Item> items;
    std::size_t count = 0;
  };
  // One walk, from its beginning to its end.
  struct Walk {
    Walk();
    Queue<Batch> found;
    Queue<Batch> used;
    TaskGroup thread;  // last, so that it ends first
  };
  Result<void> run(Walk& walk, const std::stop_token& stop);

  const std::unique_ptr<Source> inner_;
  std::unique_ptr<Walk> walk_;  // null before the first next()
  Batch batch_;
  std::size_t at_ = 0;  // in batch_
};

}  // namespace holdfast::source
