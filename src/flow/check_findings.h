// CheckFindings: gathers what a check finds, from any thread, and in the end says which snapshots it touches.
// And the choice of packs to read.
#pragma once

#include <mutex>
#include <set>

#include "flow/check.h"

namespace holdfast::flow {

// What of a pack a finding is about.
struct DamagedSlots {
  model::PackId pack;
  std::optional<model::Slots> slots;  // nothing: all of it …
  std::uint32_t count = 0;            // … which is so many, where that is known
};

class CheckFindings {
 public:
  explicit CheckFindings(Observer& observer) : observer_(observer) {}

  // From now on nothing counts as damaged that a prune removed after the log stood at `log`: whenever
  // something is missing, the log is read on. `repository` outlives this.
  void excuse_removals_since(const repo::Repository& repository, const repo::LogState& log);
  // Under which generation the pack is to be found by now; nothing where it is gone altogether. After
  // excuse_removals_since(). Errors: of reading the log.
  Result<std::optional<std::uint32_t>> generation_now(const model::PackId& pack, std::stop_token stop);

  void warn(std::string kind, std::string object, std::string text);
  void damaged(std::string kind, std::string object, std::string text,
               std::optional<DamagedSlots> where = {});
  // Damaged or unreachable, as the error says.
  void add(std::string kind, std::string object, const Error& error, std::optional<DamagedSlots> where = {});
  // The same, of something that just this snapshot needs.
  void add_for(std::vector<std::string> snapshots, std::string kind, std::string object, const Error& error);
  void add_for(const std::string& snapshot, std::string kind, std::string object, const Error& error);

  // True where a finding covers that chunk already.
  bool covers(const model::Address& address) const;
  // Slots that are damaged, by pack; all of a pack where there is no set.
  std::map<model::PackId, std::optional<model::Slots>> damaged_slots() const;
  // Whether any finding is about slots.
  bool any_slots() const;
  // Names of what is damaged, so far.
  std::set<std::string> damaged_objects() const;
  // Notes the snapshot in every finding whose slots it refers to.
  void attribute(const std::string& snapshot, const model::References& references);
  std::vector<Finding> take();

 private:
  struct Found {
    Finding finding;
    std::optional<DamagedSlots> where;
  };
  void put(Found found, Errc kind);
  bool removed_since(const Found& found);
  bool is_wanted(const DamagedSlots& where) const;

  Observer& observer_;
  const repo::Repository* repository_ = nullptr;
  repo::LogState then_;
  std::mutex now_mutex_;  // guards now_
  repo::LogState now_;
  mutable std::mutex mutex_;  // guards found_
  std::vector<Found> found_;
};

// What the error of a read tells: Errc::damaged, not_found, wrong_key mean damage; anything else, that it
// could not be read.
Severity severity_of(Errc kind);

// Picks packs by `part`.
class PartChooser {
 public:
  PartChooser(const CheckPart& part, Random& random) : part_(part), random_(random) {}
  struct Pack {
    std::string name;
    std::uint64_t bytes = 0;
  };
  // Of `packs`, in order: whether each is chosen. At least one is, if there is any.
  std::vector<bool> choose(const std::vector<Pack>& packs);

 private:
  CheckPart part_;
  Random& random_;
};

}  // namespace holdfast::flow
