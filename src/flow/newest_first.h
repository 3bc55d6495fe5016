// NewestFirst: files by their mtimes, the newest first, from walks that give them in another order, always
// the same. All may be too many to remember, so it works in rounds: each remembers the newest of those that
// no round before has given, within a limit of bytes. One thread.
#pragma once

#include <functional>
#include <optional>
#include <set>

#include "base/result.h"
#include "model/entry.h"
#include "sink/options.h"

namespace holdfast::flow {

class NewestFirst {
 public:
  explicit NewestFirst(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}

  // To be called once for every file that a walk comes to. False where an earlier round has given it.
  bool meets(const model::Entry& entry);
  // The one just met is to be given, in this round or a later one.
  void add(const model::Entry& entry, sink::Action action);
  // Ends the round: gives its files in order. False where there are no more; else the next walk is to begin.
  using Each = std::function<Result<void>(model::Entry, sink::Action)>;
  Result<bool> take(const Each& each);

 private:
  struct Kept {
    model::Time mtime;
    std::uint64_t number = 0;  // in the walk
    Buffer entry;              // encoded
    sink::Action action{};
    bool operator<(const Kept& other) const {
      return mtime != other.mtime ? mtime > other.mtime : number < other.number;
    }
  };

  const std::uint64_t bytes_max_;
  std::uint64_t met_ = 0;  // in this walk
  std::uint64_t bytes_ = 0;
  std::set<Kept> kept_;
  bool left_over_ = false;
  std::optional<Kept> last_;  // that was given in a round before; without its entry
};

}  // namespace holdfast::flow
