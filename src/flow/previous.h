// Previous: the last tree of a series, as a sorted stream to merge the walk with, if it may be built upon. Or
// the one before it, to count by where that is a checkpoint's.
#pragma once

#include "repo/local_tree.h"
#include "repo/transaction.h"

namespace holdfast::flow {

// Nothing that a commit with these references needs is condemned or deleted.
bool wholly_usable(const model::References& references, const repo::LogState& log);

class Previous {
 public:
  // Looks at `file`, the local copy. What it says is used only if its snapshot is committed, not forgotten,
  // and nothing of it is condemned in the transaction's view (decision 2, W3); otherwise this is empty, and
  // all is read again.
  static Result<Previous> open(const std::string& file, const repo::Transaction& transaction,
                               const repo::LocalState& local, const repo::History& history,
                               std::stop_token stop);

  // Only to compare with: the tree of the commit `wanted` if `file` is that, else empty.
  static Previous to_compare(const std::string& file, const repo::Snapshot& wanted,
                             const repo::LocalState& local);

  // The commit that the tree belongs to; null where there is none.
  const repo::Snapshot* snapshot() const { return snapshot_; }
  const repo::LocalSummary& summary() const { return summary_; }
  // A file whose ctime is not before this may have changed unseen during the run that stored it.
  model::Time racy_from() const;

  // Inner nodes that may be referred to.
  std::vector<std::pair<model::ShortId, model::Address>> nodes() const;

  // The entry at the cursor; null at the end.
  repo::LocalEntry* peek();
  // Null where what the repository has of it is lost: it must be stored again.
  const std::shared_ptr<const repo::LeafOrigin>& leaf() const { return leaf_.origin; }
  // Whether some of the content is lost, as the log says: the file must be read again.
  bool lost(const repo::LocalEntry& entry) const;
  void pop() { ++at_; }

 private:
  const repo::Snapshot* snapshot_ = nullptr;
  const repo::LogState* log_ = nullptr;  // the transaction's; null: only to compare
  repo::LocalSummary summary_;
  std::unique_ptr<repo::LocalTreeReader> reader_;
  repo::LocalLeaf leaf_;
  std::size_t at_ = 0;
};

}  // namespace holdfast::flow
