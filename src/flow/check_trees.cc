#include "flow/check_trees.h"

#include <algorithm>

#include <fmt/core.h>

#include "repo/tree_reader.h"

namespace holdfast::flow {

using model::Address;

namespace {

class TreeCheck {
 public:
  TreeCheck(const repo::Repository& repository, const repo::LogState& log, const KnownChunks& known,
            CheckFindings& findings, CheckReport& report)
      : known_(known), findings_(findings), report_(report), chunks_(repository, log) {}

  Result<void> walk(const repo::Snapshot& snapshot, const model::References& references,
                    std::stop_token stop);

 private:
  // The addresses that a leaf needs, itself and its base among them; sorted, each once.
  using Leaf = std::vector<Address>;

  const KnownChunk* find(const Address& address) const;
  bool is_leaf(const Address& address) const;
  void close_leaf();
  void note(const Address& address);
  void check_entry(const model::Entry& entry);
  std::string check_extent(const model::Extent& extent) const;
  void check_covered(const Address& address);

  const KnownChunks& known_;
  CheckFindings& findings_;
  CheckReport& report_;
  repo::ChunkReader chunks_;
  std::map<Address, Leaf> leaves_;  // read already
  // Of the walk under way:
  const repo::Snapshot* snapshot_ = nullptr;
  const model::References* references_ = nullptr;
  std::optional<Address> open_leaf_;
  Leaf open_;
  std::uint64_t uncovered_ = 0;
};

const KnownChunk* TreeCheck::find(const Address& address) const {
  const auto pack = known_.find(address.pack);
  if (pack == known_.end() || address.slot >= pack->second.size()) return nullptr;
  return &pack->second[address.slot];
}

bool TreeCheck::is_leaf(const Address& address) const {
  const KnownChunk* chunk = find(address);
  return chunk != nullptr && chunk->type == model::ChunkType::leaf;
}

void TreeCheck::check_covered(const Address& address) {
  const auto at = references_->find(address.pack);
  if (at != references_->end() && at->second.contains(address.slot)) return;
  if (++uncovered_ > 1) return;
  // Nothing is lost yet, but a prune could take it.
  findings_.add_for(
      snapshot_->id, "tree", repo::transaction_name(snapshot_->commit.transaction, "refs"),
      Error(Errc::damaged, fmt::format("the commit's reference set lacks slot {} of {}, which its tree needs",
                                       address.slot, repo::pack_name(address.pack, 0))));
}

void TreeCheck::note(const Address& address) {
  check_covered(address);
  if (open_leaf_ && (open_.empty() || open_.back() != address)) open_.push_back(address);
}

void TreeCheck::close_leaf() {
  if (!open_leaf_) return;
  std::sort(open_.begin(), open_.end());
  open_.erase(std::unique(open_.begin(), open_.end()), open_.end());
  open_.shrink_to_fit();
  leaves_.emplace(*open_leaf_, std::exchange(open_, {}));
  open_leaf_.reset();
}

// What is wrong with it; "" if nothing.
std::string TreeCheck::check_extent(const model::Extent& extent) const {
  if (!known_.contains(extent.chunk.pack)) return "";  // told of the pack
  const KnownChunk* chunk = find(extent.chunk);
  const std::string where =
      fmt::format("slot {} of {}", extent.chunk.slot, repo::pack_name(extent.chunk.pack, 0));
  if (chunk == nullptr) return where + " does not exist";
  const bool has_id = extent.id != model::ShortId{};
  const bool type_fits = chunk->type == (has_id ? model::ChunkType::data : model::ChunkType::bundle);
  if (!type_fits) return where + " is not a chunk of file content as it must be";
  if (has_id && chunk->id != extent.id) return where + " is not the chunk that it must be";
  if (extent.offset > chunk->plain_bytes || extent.length > chunk->plain_bytes - extent.offset) {
    return where + " is too short";
  }
  return "";
}

void TreeCheck::check_entry(const model::Entry& entry) {
  ++report_.entries;
  for (const model::Extent& extent : entry.content) {
    if (extent.hole) continue;
    note(extent.chunk);
    const std::string wrong = check_extent(extent);
    if (wrong.empty() || findings_.covers(extent.chunk)) continue;
    findings_.damaged("tree", repo::pack_name(extent.chunk.pack, 0),
                      fmt::format("file {}: {}", entry.path, wrong),
                      DamagedSlots{extent.chunk.pack, [&] {
                                     model::Slots slots;
                                     slots.insert(extent.chunk.slot);
                                     return slots;
                                   }()});
  }
}

Result<void> TreeCheck::walk(const repo::Snapshot& snapshot, const model::References& references,
                             std::stop_token stop) {
  snapshot_ = &snapshot;
  references_ = &references;
  uncovered_ = 0;
  for (const model::Root& root : snapshot.commit.roots) {
    repo::TreeReader tree(chunks_, root);
    tree.strict = true;
    Address at = root.address;  // being read
    tree.wanted = [&](const Address& address) {
      close_leaf();
      at = address;
      const auto seen = leaves_.find(address);
      if (seen != leaves_.end()) {
        for (const Address& needed : seen->second) check_covered(needed);
        return false;
      }
      if (is_leaf(address)) open_leaf_ = address;
      return true;
    };
    tree.on_node = [&](const Address& address) { note(address); };
    for (;;) {
      const auto entry = tree.next(stop);
      if (entry.ok() && entry.value() == nullptr) break;
      if (entry.ok()) {
        check_entry(*entry.value());
        continue;
      }
      if (entry.error().kind() == Errc::stopped) return entry.error().copy();
      // The walk goes on behind what could not be read.
      if (!findings_.covers(at)) {
        model::Slots slots;
        slots.insert(at.slot);
        findings_.add("tree", repo::pack_name(at.pack, 0), entry.error(), DamagedSlots{at.pack, slots});
      }
    }
    close_leaf();
  }
  if (uncovered_ > 1) {
    findings_.add_for(
        snapshot.id, "tree", repo::transaction_name(snapshot.commit.transaction, "refs"),
        Error(Errc::damaged, fmt::format("the reference set lacks {} addresses in all", uncovered_)));
  }
  return {};
}

}  // namespace

Result<void> check_trees(const repo::Repository& repository, const repo::LogState& log,
                         const std::vector<repo::Snapshot>& live, const KnownChunks& known,
                         CheckFindings& findings, CheckReport& report, Observer& observer,
                         std::stop_token stop) {
  TreeCheck check(repository, log, known, findings, report);
  Progress progress;
  progress.files_total = live.size();
  for (const repo::Snapshot& snapshot : live) {
    observer.progress(progress, snapshot.id.substr(0, 8));
    const auto references = repository.read_references(snapshot.commit, stop);
    if (references.ok()) {
      TRY(check.walk(snapshot, references.value(), stop));
    }  // else it was told when the references were gathered
    ++progress.files_done;
  }
  return {};
}

}  // namespace holdfast::flow
