// Copies a file tree from a source into a directory sink, as a backup and a restore would, without a
// repository between them.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "sink/directory.h"
#include "source/source.h"

namespace holdfast::test {

struct Copied {
  std::vector<source::Item> items;    // as given, completed
  std::vector<sink::Action> actions;  // for each of them
  std::uint64_t written_bytes = 0;
};

// Entries not below `strip` (a prefix of whole components) are left out, and the others lose it.
Result<Copied> copy_tree(source::Source& from, sink::DirectorySink& to, std::string strip);

}  // namespace holdfast::test
