#include "flow/find.h"

#include "base/beneath.h"

namespace holdfast::flow {

namespace {

constexpr std::uint64_t kRememberedBytesMax = 16 * kMiB;

bool matches(const FindSpec& spec, const model::Entry& entry) {
  if (spec.type && entry.attributes.type != *spec.type) return false;
  if (spec.oldest && entry.mtime < *spec.oldest) return false;
  if (spec.newest && *spec.newest < entry.mtime) return false;
  if (spec.patterns.empty()) return true;
  const source::Rule* rule =
      spec.patterns.match(entry.path, entry.attributes.type == model::FileType::directory);
  return rule != nullptr && !rule->pattern.negated();
}

}  // namespace

// What comes next does not follow a leaf that was just read.
void Finder::forget_leaf() {
  last_path_.clear();
  last_other_.clear();
}

// A tree may lie: its leaves must begin where it says, one after the other, and not below what is no folder.
Result<void> Finder::take_place(const model::Child& claim, const std::string& first_path) {
  if (!claim.first_path.empty() && claim.first_path != first_path)
    return Error(Errc::damaged, "a tree's leaf does not begin where the node above says");
  const bool below = !last_other_.empty() && is_at_or_below(first_path, last_other_);
  if (below || (!last_path_.empty() && model::compare_paths(last_path_, first_path) >= 0))
    return Error(Errc::damaged, "a tree's entries are out of order");
  return {};
}

Result<std::uint64_t> Finder::look_into_leaf(const model::Child& claim, const OnMatch& on_match,
                                             std::stop_token stop) {
  model::Root leaf;
  leaf.address = claim.address;
  leaf.id = claim.id;
  repo::TreeReader tree(chunks_, leaf);
  Leaf found;
  std::string last, last_other;
  for (;;) {
    const model::Entry* entry = TRY(tree.next(stop));
    if (entry == nullptr) break;
    if (last.empty()) found.first_path = entry->path;
    last = entry->path;
    if (entry->attributes.type != model::FileType::directory) last_other = entry->path;
    if (matches(spec_, *entry)) found.matches.push_back(*entry);
  }
  TRY(take_place(claim, found.first_path));
  told_ = false;
  last_path_ = std::move(last);
  last_other_ = std::move(last_other);
  std::uint64_t bytes = 0;
  for (model::Entry& entry : found.matches) {
    on_match(entry);
    std::vector<model::Extent>().swap(entry.content);
    bytes += sizeof(model::Entry) + model::text_bytes(entry);
  }
  const std::uint64_t count = found.matches.size();
  if (count == 0) {
    without_.insert(claim.address);
  } else if (remembered_bytes_ + bytes <= kRememberedBytesMax) {
    remembered_bytes_ += bytes;
    known_[claim.address] = std::move(found);
  }
  return count;
}

Result<std::uint64_t> Finder::look_into(const model::Child& claim, std::uint8_t level,
                                        const OnMatch& on_match, std::stop_token stop) {
  if (stop.stop_requested()) return Error(Errc::stopped, "stopped while looking");
  if (without_.contains(claim.address)) {
    told_ = false;
    forget_leaf();
    return std::uint64_t{0};
  }
  if (const auto known = known_.find(claim.address); known != known_.end()) {
    told_ = false;
    forget_leaf();
    TRY(take_place(claim, known->second.first_path));
    for (const model::Entry& entry : known->second.matches) on_match(entry);
    return std::uint64_t{known->second.matches.size()};
  }
  auto found =
      level == 0 ? look_into_leaf(claim, on_match, stop) : look_into_node(claim, level, on_match, stop);
  if (found.ok() || !on_torn || !only_a_part(found.error())) return found;
  ++torn_;
  forget_leaf();
  if (!std::exchange(told_, true)) on_torn(claim.first_path, found.error());
  return std::uint64_t{0};
}

Result<std::uint64_t> Finder::look_into_node(const model::Child& claim, std::uint8_t level,
                                             const OnMatch& on_match, std::stop_token stop) {
  const std::uint64_t torn_before = torn_;
  std::uint64_t count = 0;
  const std::vector<model::Child> children = TRY(repo::read_children(chunks_, claim, level, stop));
  for (const model::Child& child : children)
    count += TRY(look_into(child, static_cast<std::uint8_t>(level - 1), on_match, stop));
  if (count == 0 && torn_ == torn_before) without_.insert(claim.address);
  return count;
}

Result<std::uint64_t> Finder::find(const model::Commit& commit, const OnMatch& on_match,
                                   std::stop_token stop) {
  std::uint64_t count = 0;
  for (const model::Root& root : commit.roots) {
    forget_leaf();
    told_ = false;
    count += TRY(look_into(repo::claim_of(root), root.level, on_match, stop));
  }
  return count;
}

}  // namespace holdfast::flow
