// The second witness: before anything is removed for the first time, a walk of each live snapshot's tree
// confirms that its reference set, on which garbage collection relies, covers what its tree needs. Trees and
// reference sets never change, so once is enough; the log remembers (WITNESS). Needs the read secret. One
// thread at a time.
#pragma once

#include "repo/tree_reader.h"

namespace holdfast::repo {

class TreeWitness {
 public:
  explicit TreeWitness(const Repository& repository) : repository_(repository) {}

  // Errc::damaged where the references lack something or the tree can't be read; the error names the
  // snapshot.
  Result<void> confirm(const Snapshot& snapshot, const LogState& log, std::stop_token stop);

 private:
  Result<void> walk(const model::Root& root, const model::References& references, ChunkReader& chunks,
                    std::stop_token stop);

  const Repository& repository_;
  // What the leaves walked so far need, themselves and the bases of deltas included: trees of one series
  // share most of them, and a leaf seen before is checked against another reference set without being read.
  std::map<model::Address, model::References> leaves_;
};

}  // namespace holdfast::repo
