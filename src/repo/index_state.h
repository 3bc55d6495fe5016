// Index::State: what an index knows at one moment, a value shared by those who look things up.
#pragma once

#include <algorithm>

#include "repo/index.h"
#include "repo/index_segment.h"

namespace holdfast::repo {

struct Index::State {
  IndexSegments segments;                       // oldest first
  std::vector<model::TransactionId> forgotten;  // covered without a segment that says so; ascending

  // Keeps transactions covered whose records aren't kept.
  void forget_records_of(const std::vector<model::TransactionId>& covered) {
    forgotten.insert(forgotten.end(), covered.begin(), covered.end());
    std::sort(forgotten.begin(), forgotten.end());
    forgotten.erase(std::unique(forgotten.begin(), forgotten.end()), forgotten.end());
  }
};

}  // namespace holdfast::repo
