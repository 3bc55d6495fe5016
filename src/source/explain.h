// Would a walk give a path, and what decides it? The same questions that Walk asks, along one path only; a
// test holds the two against each other.
#pragma once

#include <string>

#include "source/filters.h"
#include "source/roots.h"

namespace holdfast::source {

struct Verdict {
  bool included = false;
  bool present = true;     // there is such a file now; where not, it is judged as a regular file
  std::string decided_at;  // the path, or a directory above it that is left out; without the leading '/'
  std::string reason;      // which rule ("--exclude:1: *.o"), option or circumstance; "" where none spoke
};

// `path` without '/' at either end. Errors: what keeps a directory above it from being looked into.
Result<Verdict> explain(const Roots& roots, const Filters& filters, std::string_view path);

}  // namespace holdfast::source
