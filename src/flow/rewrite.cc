#include "flow/rewrite.h"

#include "base/beneath.h"
#include "flow/previous.h"
#include "repo/rights.h"
#include "repo/tree_reader.h"
#include "repo/tree_writer.h"

namespace holdfast::flow {

namespace {

// Says of entries, in order, which go.
class Exclusion {
 public:
  explicit Exclusion(const source::Rules& rules) : rules_(rules) {}
  bool holds(const model::Entry& entry) {
    if (!folder_.empty() && is_at_or_below(entry.path, folder_)) return true;
    const bool is_directory = entry.attributes.type == model::FileType::directory;
    const source::Rule* rule = rules_.match(entry.path, is_directory);
    if (rule == nullptr || rule->pattern.negated()) return false;
    folder_ = is_directory ? entry.path : "";
    return true;
  }

 private:
  const source::Rules& rules_;
  std::string folder_;  // the last one that went
};

using Nodes = std::map<model::ShortId, model::Address>;

// Where the nodes and leaves of a tree are, from its inner nodes.
Result<void> collect(repo::ChunkReader& chunks, const model::Child& claim, std::uint8_t level, Nodes& nodes,
                     std::stop_token stop) {
  if (stop.stop_requested()) return Error(Errc::stopped, "stopped while reading a tree");
  if (!nodes.emplace(claim.id, claim.address).second || level == 0) return {};
  const std::vector<model::Child> children = TRY(repo::read_children(chunks, claim, level, stop));
  for (const model::Child& child : children) {
    TRY(collect(chunks, child, static_cast<std::uint8_t>(level - 1), nodes, stop));
  }
  return {};
}

class Rewriter {
 public:
  Rewriter(const repo::Repository& repository, const repo::Snapshot& snapshot, const RewriteSpec& spec,
           repo::LocalState& local, Observer& observer)
      : repository_(repository), snapshot_(snapshot), spec_(spec), local_(local), observer_(observer) {}

  Result<Rewritten> run(std::stop_token stop);

 private:
  Result<void> count(const repo::LogState& log, std::stop_token stop);
  Result<void> require_usable(const repo::LogState& log, std::stop_token stop) const;
  Result<model::Root> rewrite_tree(const model::Root& root, const repo::LogState& log,
                                   repo::ChunkWriter& metadata, model::References& references,
                                   std::stop_token stop);
  Result<repo::Snapshot> write(repo::Transaction& transaction, std::stop_token stop);
  model::Commit describe(std::vector<model::Root> roots) const;

  const repo::Repository& repository_;
  const repo::Snapshot& snapshot_;
  const RewriteSpec& spec_;
  repo::LocalState& local_;
  Observer& observer_;
  Rewritten result_;
};

// What would go.
Result<void> Rewriter::count(const repo::LogState& log, std::stop_token stop) {
  repo::ChunkReader chunks(repository_, log);
  for (const model::Root& root : snapshot_.commit.roots) {
    repo::TreeReader tree(chunks, root);
    Exclusion excluded(spec_.exclude);
    for (;;) {
      if (stop.stop_requested()) return Error(Errc::stopped, "stopped while reading a tree");
      const model::Entry* entry = TRY(tree.next(stop));
      if (entry == nullptr) break;
      if (!excluded.holds(*entry)) continue;
      ++result_.removed_entries;
      result_.removed_bytes += entry->size_bytes;
      observer_.item("removed", entry->path, entry->size_bytes);
    }
  }
  return {};
}

// W3 of decision 2: the new commit may refer only to what is neither condemned nor deleted.
Result<void> Rewriter::require_usable(const repo::LogState& log, std::stop_token stop) const {
  bool usable = !log.dropped(snapshot_.commit);
  for (const model::PagePointer& page : snapshot_.commit.pages) {
    const model::PackId owner{page.owner, repo::kOwnObjects};
    usable = usable && !log.condemned.contains(owner) && !log.deleted.contains(owner);
  }
  if (usable && (!log.condemned.empty() || !log.deleted.empty())) {
    const model::References references = TRY(repository_.read_references(snapshot_.commit, stop));
    usable = wholly_usable(references, log);
  }
  if (usable) return {};
  return Error(Errc::conflict, "the snapshot was forgotten, or a prune is about to remove what it needs")
      .hint("run it again when the prune is done");
}

Result<model::Root> Rewriter::rewrite_tree(const model::Root& root, const repo::LogState& log,
                                           repo::ChunkWriter& metadata, model::References& references,
                                           std::stop_token stop) {
  repo::ChunkReader chunks(repository_, log);
  Nodes nodes;
  TRY(collect(chunks, repo::claim_of(root), root.level, nodes, stop));
  repo::LocalTreeWriter nothing("", local_.key(), repository_.random());
  repo::TreeWriter tree(metadata, references, nothing, {});
  tree.find = [&](const model::ShortId& id) -> std::optional<model::Address> {
    const auto node = nodes.find(id);
    return node == nodes.end() ? std::nullopt : std::optional(node->second);
  };
  repo::TreeReader entries(chunks, root);
  Exclusion excluded(spec_.exclude);
  for (;;) {
    if (stop.stop_requested()) return Error(Errc::stopped, "stopped while rewriting a tree");
    const model::Entry* entry = TRY(entries.next(stop));
    if (entry == nullptr) break;
    if (!excluded.holds(*entry)) TRY(tree.add(*entry, {}, {}, stop));
  }
  model::Root made = TRY(tree.finish(stop));
  made.type = root.type;
  made.name = root.name;
  result_.stored_bytes += tree.stored_bytes();
  return made;
}

model::Commit Rewriter::describe(std::vector<model::Root> roots) const {
  model::Commit commit = snapshot_.commit;
  commit.roots = std::move(roots);
  commit.tags = spec_.tags.value_or(snapshot_.tags);
  commit.host = spec_.host.value_or(commit.host);
  if (spec_.time) {
    const std::int64_t lasted = commit.end.seconds - commit.start.seconds;
    commit.start = *spec_.time;
    commit.end = {spec_.time->seconds + lasted, spec_.time->nanoseconds};
  }
  commit.excludes.insert(commit.excludes.end(), spec_.exclude_texts.begin(), spec_.exclude_texts.end());
  commit.kind = model::CommitKind::snapshot;
  commit.previous_sequence = 0;
  commit.previous_hash = {};
  commit.parent.reset();
  return commit;
}

Result<repo::Snapshot> Rewriter::write(repo::Transaction& transaction, std::stop_token stop) {
  TRY(require_usable(transaction.log(), stop));
  if (result_.removed_entries == 0) {
    const model::References all = TRY(repository_.read_references(snapshot_.commit, stop));
    return transaction.commit(describe(snapshot_.commit.roots), all, &snapshot_.commit, stop);
  }
  repo::ChunkWriter metadata(transaction, true);
  model::References references;
  std::vector<model::Root> roots;
  for (const model::Root& root : snapshot_.commit.roots) {
    model::Root made = TRY(rewrite_tree(root, transaction.log(), metadata, references, stop));
    roots.push_back(std::move(made));
  }
  TRY(metadata.finish(stop));
  return transaction.commit(describe(std::move(roots)), references, &snapshot_.commit, stop);
}

Result<Rewritten> Rewriter::run(std::stop_token stop) {
  result_.from = snapshot_.id;
  repo::LogState log;
  TRY(repository_.log().follow(log, stop));
  TRY(count(log, stop));
  result_.changed = result_.removed_entries > 0 || spec_.host || spec_.time || spec_.tags;
  if (!result_.changed || spec_.dry_run) return result_;
  const auto transaction =
      TRY(repo::Transaction::open(repository_, local_, repository_.random().array<16>(), stop));
  auto made = write(*transaction, stop);
  if (!made.ok()) {
    const auto ended = transaction->withdraw("rewrite failed", {});
    if (!ended.ok()) observer_.note(ended.error().text());
    return std::move(made).error();
  }
  result_.to = made.value().id;
  return result_;
}

}  // namespace

Result<Rewritten> rewrite(const repo::Repository& repository, const repo::Snapshot& snapshot,
                          const RewriteSpec& spec, repo::LocalState& local, Observer& observer,
                          std::stop_token stop) {
  using repo::Right;
  TRY(repo::require(repository.secrets(), {Right::deduplicate, Right::index, Right::read, Right::commit}));
  return Rewriter(repository, snapshot, spec, local, observer).run(stop);
}

}  // namespace holdfast::flow
