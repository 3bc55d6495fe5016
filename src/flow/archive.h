// Archive: from the walk to the tree. Merges the source with the previous tree, has changed content stored by
// the pipeline, and adds the entries to the new tree in order. Memory: a bounded window of entries that wait
// for their content.
#pragma once

#include <deque>
#include <set>

#include "flow/backup.h"
#include "flow/pace.h"
#include "flow/page_store.h"
#include "flow/pipeline.h"
#include "flow/previous.h"
#include "repo/tree_writer.h"

namespace holdfast::flow {

// What the observer was told in earlier legs of the run (leg.h), so that it isn't told again.
struct Told {
  std::string reached;                 // what was done with each entry, up to this path
  std::uint64_t files = 0, bytes = 0;  // how far the run was
  std::set<std::uint64_t> problems;    // hashes of path and what was being done
};

class Archive {
 public:
  struct Context {
    source::Source& source;
    repo::Transaction& transaction;
    const repo::LocalState& local;
    Previous& previous;
    Previous* baseline;  // the last snapshot's tree, to count by; null: that is `previous`
    Pace& pace;
    Told& told;
    Pipeline& pipeline;
    repo::TreeWriter& tree;
    const BackupSpec& spec;
    Observer& observer;
    StoreCounters& counters;
    BackupReport& report;
  };
  explicit Archive(const Context& context);

  enum class End { complete, due, stopped };
  // All items of the source; or until a checkpoint is due or `stop` was requested: then what was stored is in
  // the tree, and after it what the previous tree had, so that a next leg or run can go on from there.
  Result<End> run(std::stop_token stop);
  // Something was read or stored: a checkpoint would be of use.
  bool stored_anything() const;

  // For the local copy.
  std::vector<repo::LocalBundle> bundles() const;
  const std::vector<std::pair<std::uint64_t, model::TransactionId>>& pages() const { return pages_; }
  // A path of the source that had files last time and has none now; "" if none.
  std::string vanished_root() const;
  bool changed_anything() const { return changes_; }
  // Files that were read again since some of what the last snapshot has of them is lost.
  std::uint64_t read_for_loss() const { return read_for_loss_; }

 private:
  struct Pending {
    model::Entry entry;  // of a bundle's member: in the job, until it is done
    model::Stamp stamp;
    repo::Provenance provenance;
    std::shared_ptr<Job> bundle;
    std::size_t member = 0;
    std::vector<std::shared_ptr<Job>> ranges;
    bool shares_jobs = false;  // the ranges are another name's
    bool known = false;        // the previous tree has this path
    bool carried = false;      // from the previous tree, whatever the source has
    // Of a large file: what the previous tree has, which stays where the new content is not stored in time.
    std::unique_ptr<repo::LocalEntry> old;
  };
  struct RootCount {
    std::string path;
    std::uint64_t before = 0, now = 0;
  };

  Result<void> take(source::Item& item, std::stop_token stop);
  repo::LocalEntry* match(const std::string& path);
  bool make_fit(model::Entry& entry);
  static bool is_same(const repo::LocalEntry& old, const model::Entry& entry, const model::Stamp& stamp,
                      const model::Time& racy_from);
  bool lies_in_sparse_bundle(const model::Entry& entry) const;
  Result<void> queue_small(source::Item& item, Pending pending, bool fresh,
                           std::vector<model::Extent> before);
  Result<void> queue_large(source::Item& item, Pending pending, const repo::LocalEntry* old);
  Result<void> close_bundle();
  bool bundle_ends(const model::Entry& entry) const;
  Result<void> enqueue(Pending pending);
  Result<void> drain(std::size_t left_max);
  bool ends_here();
  Result<void> end_early();
  Result<void> emit(Pending pending);
  static bool incomplete(const Pending& pending);
  Result<void> emit_old(Pending pending);
  void compare_with_baseline(Pending& pending, bool& same);
  void count_before(std::string_view path);
  void tell(const Pending& pending, bool same);
  bool collect_content(Pending& pending);
  void keep_page_hashes(const Pending& pending);
  void count(Pending& pending);
  void fail(std::string_view path, std::string_view during, const Error& error);

  Context context_;
  const repo::DomainKeys& keys_;
  model::Root expected_;  // of the previous snapshot: how much there was
  model::Time racy_from_;
  std::shared_ptr<Job> open_bundle_;
  std::uint64_t open_bundle_bytes_ = 0;
  std::deque<Pending> pending_;
  std::size_t pending_jobs_ = 0;
  bool changes_ = false;
  std::uint64_t read_for_loss_ = 0;
  bool left_out_ = false;                                  // something whose content a stop left incomplete
  bool resumed_ = false;                                   // the walk is where the last leg had been
  std::string reached_;                                    // where the walk is
  std::map<model::Address, repo::LocalBundle> bundles_;    // live bytes of this tree
  std::map<model::Address, std::uint32_t> bundle_totals_;  // as far as known
  std::vector<model::Address> sparse_;                     // sorted
  std::map<std::uint64_t, model::TransactionId> old_pages_;
  std::vector<std::pair<std::uint64_t, model::TransactionId>> pages_;
  std::vector<RootCount> roots_;
  std::map<std::uint64_t, std::vector<std::shared_ptr<Job>>> linked_;  // by link group
  std::size_t linked_jobs_ = 0;                                        // in it
};

}  // namespace holdfast::flow
