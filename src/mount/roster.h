// Roster: which snapshots there are, as views, read again from time to time; and the numbers by which names
// in the views are known. A name keeps its number, and a number what it stands for, as long as this lives:
// somebody may still have a forgotten snapshot open. Thread-safe.
#pragma once

#include <condition_variable>
#include <functional>

#include "base/clock.h"
#include "base/task_group.h"
#include "mount/views.h"

namespace holdfast::mount {

struct RosterOptions {
  std::int64_t fresh_ns = 5'000'000'000;     // so old a list is taken for new
  std::int64_t patience_ns = 2'000'000'000;  // how long somebody waits for a new one, before they get the old
  std::function<void(const Error&)> complain = [](const Error&) {};  // a list could not be read
};

// What a number stands for.
struct Origin {
  std::string path;      // in the views
  SnapshotPtr snapshot;  // null: a folder or a link
  std::string top;
};

class Roster {
 public:
  using Load = std::function<Result<std::vector<SnapshotPtr>>(std::stop_token)>;
  // `clock` outlives this.
  Roster(Clock& clock, Load load, std::vector<std::string> templates, RosterOptions options);

  // Reads the list; until then there are no views.
  Result<void> start(std::stop_token stop);
  // The views as of not long ago.
  std::shared_ptr<const Views> views(std::stop_token stop);

  // The number of a name in the views. 1 is the top.
  std::uint64_t number_of(const std::string& path, const ViewNode& node);
  // Null where there is no such number.
  std::shared_ptr<const Origin> origin(std::uint64_t number) const;

 private:
  Result<void> watch(std::stop_token stop);
  void take(Result<std::vector<SnapshotPtr>> loaded, std::int64_t began_ns);  // under mutex_

  Clock& clock_;
  const Load load_;
  const std::vector<std::string> templates_;
  const RosterOptions options_;
  mutable std::mutex mutex_;  // guards all below
  std::condition_variable_any changed_;
  std::shared_ptr<const Views> views_;
  std::vector<std::string> ids_;  // of the snapshots in them
  std::int64_t due_ns_ = 0;
  bool wanted_ = false, busy_ = false;
  std::map<std::string, std::uint64_t> numbers_;
  std::vector<std::shared_ptr<const Origin>> origins_;
  TaskGroup thread_;
};

}  // namespace holdfast::mount
