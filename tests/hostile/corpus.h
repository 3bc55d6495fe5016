// The corpus: what a hostile snapshot can say, and what the commands are to make of it.
#pragma once

#include "tests/hostile/evil_writer.h"

namespace holdfast::testing {

// Exit statuses. 13: damaged; 3: not all was restored.
struct Expected {
  std::vector<int> list = {0};  // ls, find, diff
  std::vector<int> restore = {0};
  std::vector<int> dump = {0};
  std::vector<int> check = {0};
  std::vector<int> copy = {0};
};
// Nobody makes anything of the tree; a restore says what it could not bring back.
inline Expected refused() { return {{13}, {3}, {13}, {13}, {13}}; }
// The tree is one, its files' contents are not there. What a copy takes over says the same there.
inline Expected without_content() { return {{0}, {3}, {13}, {13}, {0, 13}}; }

struct Case {
  const char* name;
  Expected expected;
  // Adds roots; the runner commits.
  void (*build)(EvilWriter& evil);
  std::uint64_t memory_mib = 150;  // that a command may need
  bool dumps = true;               // else an archive of it would be endless
};

const std::vector<Case>& corpus();

}  // namespace holdfast::testing
