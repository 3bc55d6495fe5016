// Meter: stands between a backup and its source and observer, so that progress also tells what was read of
// large files that are not done yet; and, where the backup knows no totals (there is no previous snapshot),
// how much there is: a second walk on a thread of its own counts, and totals are told once it has ended. It
// begins with the first progress, and is stopped with the Meter. Thread-safe, as its two sides are.
#pragma once

#include <atomic>
#include <map>
#include <mutex>

#include "base/task_group.h"
#include "flow/observer.h"
#include "source/source.h"

namespace holdfast::flow {

class Meter final : public source::Source, public Observer {
 public:
  // `ahead` gives the same as `source`, for the count; null: no count. The others outlive the Meter.
  Meter(source::Source& source, Observer& observer, std::unique_ptr<source::Source> ahead);

  bool repeatable() const override { return source_.repeatable(); }
  Result<void> restart() override { return source_.restart(); }
  Result<bool> next(source::Item& item, std::stop_token stop) override;
  Result<void> complete(source::Item& item) override;
  Result<std::unique_ptr<source::Content>> open(const source::Item& item) override;

  void progress(const Progress& progress, std::string_view current) override;
  void problem(std::string_view path, std::string_view during, const Error& error) override;
  void item(std::string_view action, std::string_view path, std::uint64_t size_bytes) override;
  void note(std::string_view text) override;

 private:
  class Reading;
  void read(const std::string& path, std::uint64_t bytes);
  void done_with(std::string_view path);
  Progress whole();
  Result<void> count(std::stop_token stop);

  source::Source& source_;
  Observer& observer_;
  const std::unique_ptr<source::Source> ahead_;
  std::mutex mutex_;                                             // guards what follows
  std::map<std::string, std::uint64_t, std::less<>> under_way_;  // bytes read of files not told as done
  std::uint64_t under_way_bytes_ = 0;
  Progress told_;                  // by the backup
  std::uint64_t shown_bytes_ = 0;  // never less than before
  Progress counted_;               // totals only
  bool counting_ = false;
  TaskGroup threads_;
};

}  // namespace holdfast::flow
