#include "flow/diff.h"

#include <fmt/core.h>

#include "flow/content.h"

namespace holdfast::flow {

namespace {

using Addresses = std::set<model::Address>;

// All nodes and leaves below one, from the inner nodes alone; what is in `known` already is not gone into.
Result<void> collect(repo::ChunkReader& chunks, const model::Child& claim, std::uint8_t level,
                     const Addresses* known, Addresses& out, std::stop_token stop) {
  if (stop.stop_requested()) return Error(Errc::stopped, "stopped while comparing");
  const bool is_new = out.insert(claim.address).second;
  if (!is_new || level == 0 || (known != nullptr && known->contains(claim.address))) return {};
  const std::vector<model::Child> children = TRY(repo::read_children(chunks, claim, level, stop));
  for (const model::Child& child : children)
    TRY(collect(chunks, child, static_cast<std::uint8_t>(level - 1), known, out, stop));
  return {};
}

// The entries of a commit's trees below a path, by paths relative to it; shared subtrees left out.
class Side {
 public:
  Side(repo::ChunkReader& chunks, const model::Commit& commit, std::string top)
      : chunks_(chunks), commit_(commit), top_(std::move(top)) {}

  void skip(const Addresses& shared) { shared_ = &shared; }

  // The next entry, null at the end.
  Result<const model::Entry*> next(std::stop_token stop) {
    for (;;) {
      if (tree_ == nullptr) {
        if (root_ == commit_.roots.size()) return current_ = nullptr;
        tree_ = std::make_unique<repo::TreeReader>(chunks_, commit_.roots[root_++]);
        if (shared_ != nullptr)
          tree_->wanted = [this](const model::Address& a) { return !shared_->contains(a); };
        if (!top_.empty()) tree_->seek(top_);
      }
      const model::Entry* entry = TRY(tree_->next(stop));
      if (entry == nullptr || beyond(entry->path)) {
        tree_.reset();
        continue;
      }
      if (entry->path.size() == top_.size()) continue;  // the top itself
      return current_ = entry;
    }
  }

  const model::Entry* current() const { return current_; }
  std::string_view path() const {
    return std::string_view(current_->path).substr(top_.empty() ? 0 : top_.size() + 1);
  }

 private:
  bool beyond(std::string_view path) const {
    if (top_.empty()) return false;
    return !path.starts_with(top_) || (path.size() > top_.size() && path[top_.size()] != '/');
  }

  repo::ChunkReader& chunks_;
  const model::Commit& commit_;
  const std::string top_;
  const Addresses* shared_ = nullptr;
  std::unique_ptr<repo::TreeReader> tree_;
  std::size_t root_ = 0;
  const model::Entry* current_ = nullptr;
};

void count(DiffCounts& counts, const model::Entry& entry) {
  switch (entry.attributes.type) {
    case model::FileType::regular:
      ++counts.files;
      break;
    case model::FileType::directory:
      ++counts.dirs;
      break;
    default:
      ++counts.others;
  }
}

}  // namespace

Result<std::optional<Change>> change_between(repo::ChunkReader& chunks, const model::Entry& a,
                                             const model::Entry& b, std::stop_token stop) {
  if (a.attributes.type != b.attributes.type) return std::optional<Change>(Change::type);
  if (a.attributes.type == model::FileType::regular) {
    const bool same = TRY(same_content(chunks, a, b, stop));
    if (!same) return std::optional<Change>(Change::content);
  }
  if (a.target != b.target || a.device != b.device) return std::optional<Change>(Change::content);
  if (a.attributes != b.attributes || a.mtime != b.mtime) return std::optional<Change>(Change::metadata);
  return std::optional<Change>();
}

namespace {

Result<Addresses> shared_subtrees(repo::ChunkReader& chunks, const model::Commit& from,
                                  const model::Commit& to, std::stop_token stop) {
  Addresses first;
  Addresses second;
  for (const model::Root& root : from.roots)
    TRY(collect(chunks, repo::claim_of(root), root.level, nullptr, first, stop));
  for (const model::Root& root : to.roots)
    TRY(collect(chunks, repo::claim_of(root), root.level, &first, second, stop));
  Addresses shared;
  std::set_intersection(first.begin(), first.end(), second.begin(), second.end(),
                        std::inserter(shared, shared.end()));
  return shared;
}

}  // namespace

Result<DiffReport> diff(repo::ChunkReader& chunks, const model::Commit& from, const model::Commit& to,
                        const DiffSpec& spec, const OnChange& on_change, std::stop_token stop) {
  Addresses shared;
  Side a(chunks, from, spec.from_path);
  Side b(chunks, to, spec.to_path);
  if (spec.from_path == spec.to_path) {  // else equal subtrees may stand for different places
    shared = TRY(shared_subtrees(chunks, from, to, stop));
    a.skip(shared);
    b.skip(shared);
  }
  DiffReport report;
  TRY(a.next(stop));
  TRY(b.next(stop));
  while (a.current() != nullptr || b.current() != nullptr) {
    if (stop.stop_requested()) return Error(Errc::stopped, "stopped while comparing");
    const int order = a.current() == nullptr   ? 1
                      : b.current() == nullptr ? -1
                                               : model::compare_paths(a.path(), b.path());
    if (order < 0) {
      count(report.removed, *a.current());
      on_change(Change::removed, a.path(), *a.current());
    } else if (order > 0) {
      count(report.added, *b.current());
      on_change(Change::added, b.path(), *b.current());
    } else {
      const auto change = TRY(change_between(chunks, *a.current(), *b.current(), stop));
      if (change == Change::content && b.current()->attributes.type == model::FileType::regular)
        ++report.changed_files;
      if (change && (*change != Change::metadata || spec.metadata))
        on_change(*change, b.path(), *b.current());
    }
    if (order <= 0) TRY(a.next(stop));
    if (order >= 0) TRY(b.next(stop));
  }
  return report;
}

namespace {

std::vector<std::uint32_t> slots_of(const model::Slots& slots, std::size_t end) {
  std::vector<std::uint32_t> out;
  for (std::uint32_t slot = 0; slot < end; ++slot) {
    if (slots.contains(slot)) out.push_back(slot);
  }
  return out;
}

}  // namespace

Result<BlobCounts> blobs_only_in(const repo::Repository& repository, const model::References& these,
                                 const model::References& others, std::stop_token stop) {
  BlobCounts counts;
  std::optional<model::Manifest> manifest;
  for (const auto& [pack, slots] : these) {
    const auto other = others.find(pack);
    if (other != others.end() && other->second.contains(slots)) continue;
    if (!manifest || manifest->transaction != pack.transaction) {
      manifest = TRY(repository.read_manifest(pack.transaction, stop));
    }
    const auto at =
        std::find_if(manifest->packs.begin(), manifest->packs.end(),
                     [&, number = pack.pack](const model::ManifestPack& p) { return p.pack == number; });
    if (at == manifest->packs.end())
      return Error(Errc::damaged, "a manifest lacks a pack that a snapshot needs");
    for (const std::uint32_t slot : slots_of(slots, at->chunks.size())) {
      if (other != others.end() && other->second.contains(slot)) continue;
      const model::ManifestChunk& chunk = at->chunks[slot];
      const bool tree = chunk.type == model::ChunkType::leaf || chunk.type == model::ChunkType::node;
      ++(tree ? counts.tree_blobs : counts.data_blobs);
      counts.plain_bytes += chunk.plain_bytes;
      counts.stored_bytes += chunk.stored_bytes;
    }
  }
  return counts;
}

}  // namespace holdfast::flow
