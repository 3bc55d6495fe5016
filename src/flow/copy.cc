#include "flow/copy.h"

#include <algorithm>

#include "flow/copy_chunks.h"
#include "repo/rights.h"
#include "repo/tree_reader.h"
#include "repo/tree_writer.h"

namespace holdfast::flow {

namespace {

class Copier {
 public:
  Copier(const repo::Repository& from, const repo::History& source, const repo::Repository& to,
         const repo::History& destination, repo::LocalState& local, Observer& observer,
         const Renewal* renewal = nullptr)
      : from_(from),
        source_(source),
        to_(to),
        destination_(destination),
        local_(local),
        observer_(observer),
        renewal_(renewal),
        chunks_(from, source.log) {}

  Result<CopiedSnapshot> run(const repo::Snapshot& snapshot, std::stop_token stop);

 private:
  Result<const repo::Snapshot*> find_copy(const repo::Snapshot& snapshot, std::stop_token stop);
  Result<bool> same_trees(const model::Commit& mine, const model::Commit& theirs, std::stop_token stop);
  Result<bool> same_tree(const model::Root& mine, const model::Root& theirs, std::stop_token stop);
  bool same_entry(const model::Entry& mine, const model::Entry& theirs) const;
  Result<model::Root> copy_tree(const model::Root& root, repo::TreeWriter& tree, std::stop_token stop);
  model::Commit describe(const repo::Snapshot& snapshot, std::vector<model::Root> roots) const;
  const model::Commit* usable_before(const repo::LogState& log) const;

  const repo::Repository& from_;
  const repo::History& source_;
  const repo::Repository& to_;
  const repo::History& destination_;
  repo::LocalState& local_;
  Observer& observer_;
  const Renewal* const renewal_;  // null: the copies go into another repository
  ChunkCopier chunks_;
  bool same_ids_ = false;                           // equal chunks have equal ids on both sides
  std::map<model::ShortId, model::Address> nodes_;  // of trees in the destination, of this run
  std::map<model::TransactionId, model::TransactionId> transactions_;  // source's to destination's
  std::optional<model::Commit> before_;                                // the last one of this run
  Progress progress_;
};

// What a copy keeps of the record.
bool same_record(const model::Commit& a, const model::Commit& b) {
  const auto totals = [](const model::Commit& c) {
    std::vector<std::tuple<std::uint8_t, std::string, std::uint64_t, std::uint64_t, std::uint64_t>> out;
    for (const model::Root& r : c.roots) out.emplace_back(r.type, r.name, r.entries, r.files, r.bytes);
    return out;
  };
  return a.host == b.host && a.user == b.user && a.program == b.program && a.paths == b.paths &&
         a.start == b.start && a.end == b.end && a.statistics == b.statistics && totals(a) == totals(b);
}

bool Copier::same_entry(const model::Entry& mine, const model::Entry& theirs) const {
  const bool same = mine.path == theirs.path && mine.attributes == theirs.attributes &&
                    mine.mtime == theirs.mtime && mine.birth == theirs.birth &&
                    mine.size_bytes == theirs.size_bytes && mine.target == theirs.target &&
                    mine.device == theirs.device && mine.content.size() == theirs.content.size();
  if (!same) return false;
  for (std::size_t i = 0; i < mine.content.size(); ++i) {
    const model::Extent& a = mine.content[i];
    const model::Extent& b = theirs.content[i];
    if (a.hole != b.hole || a.length != b.length) return false;
    if (same_ids_ && a.id != b.id) return false;
  }
  return true;
}

Result<bool> Copier::same_tree(const model::Root& mine, const model::Root& theirs, std::stop_token stop) {
  repo::ChunkReader my_chunks(from_, source_.log);
  repo::ChunkReader their_chunks(to_, destination_.log);
  repo::TreeReader my_tree(my_chunks, mine);
  repo::TreeReader their_tree(their_chunks, theirs);
  for (;;) {
    const model::Entry* a = TRY_AS(my_tree.next(stop), "reading the source's tree");
    const model::Entry* b = TRY_AS(their_tree.next(stop), "reading the destination's tree");
    if (a == nullptr || b == nullptr) return a == b;
    if (!same_entry(*a, *b)) return false;
  }
}

Result<bool> Copier::same_trees(const model::Commit& mine, const model::Commit& theirs,
                                std::stop_token stop) {
  for (std::size_t i = 0; i < mine.roots.size(); ++i) {
    const bool same = TRY(same_tree(mine.roots[i], theirs.roots[i], stop));
    if (!same) return false;
  }
  return true;
}

Result<const repo::Snapshot*> Copier::find_copy(const repo::Snapshot& snapshot, std::stop_token stop) {
  for (const repo::Snapshot* candidate : destination_.snapshots()) {
    if (candidate->commit.domain != local_.keys()->domain()) continue;
    if (!same_record(snapshot.commit, candidate->commit)) continue;
    if (renewal_ != nullptr) {
      const bool fresh = TRY(needs_only(to_, *candidate, renewal_->fresh, stop));
      if (!fresh) continue;
    }
    const bool same = TRY(same_trees(snapshot.commit, candidate->commit, stop));
    if (same) return candidate;
  }
  return nullptr;
}

Result<model::Root> Copier::copy_tree(const model::Root& root, repo::TreeWriter& tree, std::stop_token stop) {
  repo::ChunkReader nodes(from_, source_.log);
  repo::TreeReader entries(nodes, root);
  for (;;) {
    const model::Entry* next = TRY(entries.next(stop));
    if (next == nullptr) break;
    if (stop.stop_requested()) return Error(Errc::stopped, "stopped");
    model::Entry entry = *next;
    for (model::Extent& extent : entry.content) {
      if (extent.hole) continue;
      const ChunkCopier::Copied copied = TRY_AS(chunks_.copy(extent.chunk, stop), "copying " + entry.path);
      extent.chunk = copied.address;
      if (extent.id != model::ShortId{}) extent.id = copied.id;
    }
    if (entry.attributes.type == model::FileType::regular) ++progress_.files_done;
    progress_.bytes_done += entry.size_bytes;
    observer_.progress(progress_, entry.path);
    TRY(tree.add(std::move(entry), {}, {}, stop));
  }
  model::Root copied = TRY(tree.finish(stop));
  copied.type = root.type;
  copied.name = root.name;
  return copied;
}

model::Commit Copier::describe(const repo::Snapshot& snapshot, std::vector<model::Root> roots) const {
  model::Commit commit = snapshot.commit;
  commit.roots = std::move(roots);
  commit.tags = snapshot.tags;
  commit.previous_sequence = 0;
  commit.previous_hash = {};
  const auto parent = commit.parent ? transactions_.find(*commit.parent) : transactions_.end();
  commit.parent.reset();
  if (parent != transactions_.end()) commit.parent = parent->second;
  return commit;
}

// The copy before this one, if its pages may be referred to.
const model::Commit* Copier::usable_before(const repo::LogState& log) const {
  if (!before_) return nullptr;
  const bool usable =
      std::all_of(before_->pages.begin(), before_->pages.end(), [&](const model::PagePointer& page) {
        const model::PackId owner{page.owner, repo::kOwnObjects};
        return !log.condemned.contains(owner) && !log.deleted.contains(owner);
      });
  return usable ? &*before_ : nullptr;
}

Result<CopiedSnapshot> Copier::run(const repo::Snapshot& snapshot, std::stop_token stop) {
  CopiedSnapshot result;
  result.from = snapshot.id;
  const repo::SharedDomainKeys theirs = TRY_AS(from_.domain_keys(snapshot.commit.domain, stop), "the source");
  same_ids_ = same_ids(*theirs, *local_.keys());
  const repo::Snapshot* there = TRY(find_copy(snapshot, stop));
  if (there != nullptr) {
    result.to = there->id;
    result.was_there = true;
    transactions_[snapshot.commit.transaction] = there->commit.transaction;
    return result;
  }
  auto transaction = TRY(repo::Transaction::open(to_, local_, to_.random().array<16>(), stop));
  Deduplicator known(*transaction, local_, destination_, renewal_ ? &renewal_->fresh : nullptr);
  repo::ChunkWriter data(*transaction, false);
  repo::ChunkWriter metadata(*transaction, true);
  chunks_.begin(*transaction, data, known);
  model::References references;
  std::vector<model::Root> roots;
  for (const model::Root& root : snapshot.commit.roots) {
    repo::LocalTreeWriter nothing("", local_.key(), to_.random());
    repo::TreeWriter tree(metadata, references, nothing, {});
    tree.find = [&](const model::ShortId& id) -> std::optional<model::Address> {
      const auto node = nodes_.find(id);
      if (node == nodes_.end() || !transaction->log().usable(node->second)) return std::nullopt;
      return node->second;
    };
    tree.stored = [&](const model::ShortId& id, const model::Address& address) { nodes_[id] = address; };
    auto copied = copy_tree(root, tree, stop);
    if (!copied.ok()) {
      const auto ended = transaction->withdraw("copy failed", {});
      if (!ended.ok()) observer_.note(ended.error().text());
      return std::move(copied).error();
    }
    roots.push_back(std::move(copied).value());
    result.chunks += tree.stored_chunks();
    result.plain_bytes += tree.stored_plain_bytes();
    result.stored_bytes += tree.stored_bytes();
  }
  TRY(data.finish({}));
  TRY(metadata.finish({}));
  const repo::Snapshot made = TRY(transaction->commit(describe(snapshot, std::move(roots)), references,
                                                      usable_before(transaction->log()), {}));
  known.committed({});
  if (renewal_ != nullptr) {
    const bool same = TRY_AS(same_trees(snapshot.commit, made.commit, stop), "reading the copy");
    if (!same) return Error(Errc::damaged, "the copy is not what it was made from; the old one stays");
  }
  result.to = made.id;
  result.chunks += chunks_.chunks();
  result.plain_bytes += chunks_.plain_bytes();
  result.stored_bytes += chunks_.stored_bytes();
  transactions_[snapshot.commit.transaction] = made.commit.transaction;
  before_ = made.commit;
  return result;
}

Result<CopyReport> copy_all(Copier& copier, const std::vector<const repo::Snapshot*>& snapshots,
                            const Renewal* renewal, Observer& observer, std::stop_token stop) {
  CopyReport report;
  for (const repo::Snapshot* snapshot : snapshots) {
    CopiedSnapshot done =
        TRY_AS(copier.run(*snapshot, stop), "copying snapshot " + snapshot->id.substr(0, 8));
    if (renewal != nullptr) TRY(renewal->done(*snapshot, done));
    observer.item(done.was_there ? "unchanged" : "copied", snapshot->id, done.stored_bytes);
    report.snapshots.push_back(std::move(done));
  }
  return report;
}

}  // namespace

Result<bool> needs_only(const repo::Repository& repository, const repo::Snapshot& snapshot,
                        const std::set<model::TransactionId>& these, std::stop_token stop) {
  const model::References references = TRY(repository.read_references(snapshot.commit, stop));
  return std::all_of(references.begin(), references.end(),
                     [&](const auto& pack) { return these.contains(pack.first.transaction); });
}

Result<CopyReport> renew(const repo::Repository& repository, const repo::History& history,
                         const std::vector<const repo::Snapshot*>& snapshots, const Renewal& renewal,
                         repo::LocalState& local, Observer& observer, std::stop_token stop) {
  Copier copier(repository, history, repository, history, local, observer, &renewal);
  return copy_all(copier, snapshots, &renewal, observer, stop);
}

Result<CopyReport> copy(const repo::Repository& from, const std::vector<const repo::Snapshot*>& snapshots,
                        const repo::Repository& to, repo::LocalState& local, Observer& observer,
                        std::stop_token stop) {
  if (from.config().id == to.config().id)
    return Error(Errc::usage, "source and destination are one repository");
  using repo::Right;
  TRY_AS(repo::require(from.secrets(), {Right::deduplicate, Right::index, Right::read}), "the source");
  TRY_AS(repo::require(to.secrets(), {Right::deduplicate, Right::index, Right::read, Right::commit}),
         "the destination");
  const repo::History source = TRY_AS(from.readable_history(stop), "reading the source");
  const repo::History destination = TRY_AS(to.history(stop), "reading the destination");
  Copier copier(from, source, to, destination, local, observer);
  return copy_all(copier, snapshots, nullptr, observer, stop);
}

}  // namespace holdfast::flow
