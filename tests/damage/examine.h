// Examiner: a copy of the specimen to be damaged, read whole and checked, then put right; and what must come
// of a damage, computed from addresses. One thread at a time; each thread has its own.
#pragma once

#include "flow/check.h"
#include "tests/damage/specimen.h"

namespace holdfast::testing {

// What a damage takes away from readers.
struct Loss {
  bool all = false;                 // the repository does not open
  std::set<std::string> snapshots;  // not listed any more
  std::set<model::Address> chunks;
};

// The least that a full check must say of it.
enum class Found : unsigned char {
  anything,  // undetectable by design, see docs/incidents.md; what is said must still be true
  warning,   // a spare copy is damaged
  damage,
};

// One state of the store.
struct Damage {
  std::string what;
  Objects put;  // replaced
  std::set<std::string> removed;
  Loss loss;
  Found found = Found::damage;
  std::set<std::string> named;              // objects that the check must name
  std::map<std::string, std::string> told;  // what the check must say of an object, word for word
  bool attributed = true;                   // the check knows exactly which snapshots are touched
  bool within_parity = false;               // of a pack: everything must come back
};

class Examiner {
 public:
  explicit Examiner(const Specimen& specimen);
  // Fails the test where anything is not as it must be.
  void examine(const Damage& damage);

 private:
  struct Reading {
    std::optional<Error> closed;   // why it can't be opened or listed
    std::set<std::uint32_t> lost;  // places
    std::vector<std::string> wrong;
  };
  Reading read_everything();
  void read_snapshot(const repo::Repository& repository, const repo::LogState& log,
                     const repo::Snapshot& snapshot, Reading& reading);
  void compare_reading(const Damage& damage, const Reading& reading);
  void compare_check(const Damage& damage, const Reading& reading);
  std::set<std::string> snapshots_of(const std::set<std::uint32_t>& places) const;

  const Specimen& specimen_;
  std::shared_ptr<storage::MemoryContent> content_;
  std::unique_ptr<storage::Storage> storage_;
  FakeClock clock_;
  SeededRandom random_{1};
  std::map<std::pair<std::string, std::string>, std::uint32_t> places_;
};

// What is lost where the bytes [from, to) of an object, at most a sector, are not what they were.
Loss loss_of(const Specimen& specimen, const std::string& name, std::size_t from, std::size_t to);
// What is lost with a frame of a pack of which all parity is lost too.
Loss loss_of_frame(const Specimen& specimen, const std::string& name, std::uint32_t frame);
// What is lost where the object is gone altogether, or another one.
Loss loss_of(const Specimen& specimen, const std::string& name);
// What a check must say of the first of these.
Found found_of(const Specimen& specimen, const std::string& name, std::size_t from, std::size_t to);
void add(Loss& to, const Loss& more);
// What can't come back then: indices into specimen.places.
std::set<std::uint32_t> places_of(const Specimen& specimen, const Loss& loss);

}  // namespace holdfast::testing
