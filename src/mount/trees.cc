#include "mount/trees.h"

#include <algorithm>

#include "repo/tree_reader.h"

namespace holdfast::mount {

namespace {

constexpr std::size_t kLinkCountsKept = 4;  // trees whose hard links are remembered
constexpr std::size_t kLeavesAhead = 8;

std::uint64_t bytes_of(const std::vector<model::Entry>& entries) {
  std::uint64_t bytes = 0;
  for (const model::Entry& entry : entries) {
    bytes += sizeof(model::Entry) + model::text_bytes(entry) + entry.content.size() * sizeof(model::Extent);
  }
  return bytes;
}

std::size_t lower_bound(const std::vector<model::Entry>& entries, std::string_view path, std::size_t from) {
  const auto first = entries.begin() + static_cast<std::ptrdiff_t>(from);
  const auto found =
      std::lower_bound(first, entries.end(), path, [](const model::Entry& entry, std::string_view key) {
        return model::compare_paths(entry.path, key) < 0;
      });
  return static_cast<std::size_t>(found - entries.begin());
}

}  // namespace

Result<PlainPtr> Trees::plain(const model::Address& address, const model::ShortId& id, model::ChunkType type,
                              std::stop_token stop) {
  PlainPtr plain = TRY(chunks_.get(address, stop));
  TRY(repo::expect_part(plain->id, plain->type, id, type));
  return plain;
}

// So no node has two places in a tree, and no walk of one goes on for ever.
Result<Trees::Part> Trees::read(const Step& step, std::stop_token stop) {
  if (step.level > model::kTreeLevelsMax) return Error(Errc::damaged, "a tree has too many levels");
  Part part = TRY(load(step, std::move(stop)));
  if (step.claim.empty()) return part;
  const std::string& begins =
      part.node != nullptr ? part.node->children.front().first_path : part.leaf->front().path;
  if (begins != step.claim)
    return Error(Errc::damaged, "a tree's node does not begin where the node above says");
  return part;
}

Result<Trees::Part> Trees::load(const Step& step, std::stop_token stop) {
  {
    const std::lock_guard lock(mutex_);
    const Part* part = cache_.find(step.address);
    if (part != nullptr && (part->node != nullptr) == (step.level > 0)) return *part;
  }
  const auto type = step.level > 0 ? model::ChunkType::node : model::ChunkType::leaf;
  const PlainPtr bytes = TRY(plain(step.address, step.id, type, stop));
  return step.level > 0 ? decode_node(step, bytes->bytes) : decode_leaf(step, bytes->bytes, stop);
}

Result<Trees::Part> Trees::decode_node(const Step& step, Bytes bytes) {
  auto node = std::make_shared<Node>();
  node->children = TRY(model::decode_node(bytes, step.level));
  std::uint64_t sum = 0;
  std::uint64_t memory = sizeof(Node);
  for (const model::Child& child : node->children) {
    node->begins.push_back(sum);
    if (child.entries == 0 || child.entries > step.entries - sum)
      return Error(Errc::damaged, "a tree's counts contradict each other");
    sum += child.entries;
    memory += sizeof(model::Child) + child.first_path.size() + sizeof(sum);
  }
  if (sum != step.entries) return Error(Errc::damaged, "a tree's counts contradict each other");
  Part part{std::move(node), nullptr};
  const std::lock_guard lock(mutex_);
  cache_.add(step.address, part, memory);
  return part;
}

Result<Trees::Part> Trees::decode_leaf(const Step& step, Bytes bytes, std::stop_token stop) {
  auto entries = std::make_shared<std::vector<model::Entry>>();
  std::vector<model::Entry> base;
  const auto base_of = [&](const model::Delta& delta) -> Result<const std::vector<model::Entry>*> {
    const PlainPtr found = TRY(plain(delta.base, delta.base_id, model::ChunkType::leaf, stop));
    TRY(repo::decode_base(found->bytes, base));
    return &base;
  };
  TRY(repo::decode_entries(bytes, base_of, *entries));
  if (entries->size() != step.entries) return Error(Errc::damaged, "a tree's counts contradict each other");
  const std::uint64_t memory = bytes_of(*entries);
  Part part{nullptr, std::move(entries)};
  const std::lock_guard lock(mutex_);
  cache_.add(step.address, part, memory);
  return part;
}

Result<Place> Trees::descend(const model::Root& root, const Choose& choose, std::stop_token stop) {
  Step step{root.address, root.id, root.level, root.entries};
  std::uint64_t first = 0;
  while (step.level > 0) {
    const Part part = TRY(read(step, stop));
    const std::size_t chosen = choose(*part.node, first);
    const model::Child& child = part.node->children[chosen];
    first += part.node->begins[chosen];
    step = {child.address, child.id, static_cast<std::uint8_t>(step.level - 1), child.entries,
            child.first_path};
  }
  const Part part = TRY(read(step, stop));
  return Place{part.leaf, first, 0};
}

Result<Place> Trees::at(const model::Root& root, std::uint64_t number, std::stop_token stop) {
  if (number >= root.entries) return Place();
  const auto holds_it = [&](const Node& node, std::uint64_t first) {
    const auto behind_it = std::upper_bound(node.begins.begin(), node.begins.end(), number - first);
    return static_cast<std::size_t>(behind_it - node.begins.begin()) - 1;
  };
  Place place = TRY(descend(root, holds_it, stop));
  place.at = number - place.first;
  if (place.at >= place.leaf->size()) return Error(Errc::damaged, "a tree's counts contradict each other");
  return place;
}

Result<Place> Trees::seek(const model::Root& root, std::string_view path, std::stop_token stop) {
  if (root.entries == 0) return Place();
  const auto may_hold_it = [&](const Node& node, std::uint64_t) {
    const auto behind_it = std::upper_bound(node.children.begin(), node.children.end(), path,
                                            [](std::string_view key, const model::Child& child) {
                                              return model::compare_paths(key, child.first_path) < 0;
                                            });
    return static_cast<std::size_t>(std::max<std::ptrdiff_t>(behind_it - node.children.begin(), 1)) - 1;
  };
  Place place = TRY(descend(root, may_hold_it, stop));
  place.at = lower_bound(*place.leaf, path, 0);
  if (place.at < place.leaf->size()) return place;
  return at(root, place.first + place.leaf->size(), stop);
}

Result<Place> Trees::find(const model::Root& root, std::string_view path, std::stop_token stop) {
  Place place = TRY(seek(root, path, stop));
  if (place.is_end() || place.entry().path != path)
    return Error(Errc::not_found, "the snapshot has no /" + std::string(path));
  return place;
}

Result<Place> Trees::sibling(const model::Root& root, const Place& place, std::stop_token stop) {
  Place next = place;
  if (place.entry().attributes.type == model::FileType::directory) {
    const std::string key = behind(place.entry().path);
    next.at = lower_bound(*place.leaf, key, place.at + 1);
    if (next.at < place.leaf->size()) return next;
    next = TRY(seek(root, key, stop));
    if (!next.is_end() && model::compare_paths(next.entry().path, place.entry().path) <= 0)
      return Error(Errc::damaged, "a tree's entries are out of order");
    return next;
  }
  if (++next.at < place.leaf->size()) return next;
  next = TRY(at(root, place.first + place.leaf->size(), stop));
  if (!next.is_end()) prefetch_behind(root, next, stop);
  return next;
}

// The leaf after that of `place`, where its address is at hand.
void Trees::prefetch_behind(const model::Root& root, const Place& place, std::stop_token stop) {
  const std::uint64_t number = place.first + place.leaf->size();
  Step step{root.address, root.id, root.level, root.entries};
  std::uint64_t first = 0;
  while (step.level > 0 && number < root.entries) {
    const auto part = read(step, stop);
    if (!part.ok()) return;
    const Node& node = *part.value().node;
    const auto behind_it = std::upper_bound(node.begins.begin(), node.begins.end(), number - first);
    const auto chosen = static_cast<std::size_t>(behind_it - node.begins.begin()) - 1;
    const model::Child& child = node.children[chosen];
    if (step.level == 1) return chunks_.prefetch(child.address);
    first += node.begins[chosen];
    step = {child.address, child.id, static_cast<std::uint8_t>(step.level - 1), child.entries};
  }
}

Result<void> Trees::count_links(const Step& step, std::map<std::uint64_t, std::uint32_t>& counts,
                                std::stop_token stop) {
  if (stop.stop_requested()) return Error(Errc::stopped, "stopped");
  const Part part = TRY(read(step, stop));
  if (step.level == 0) {
    for (const model::Entry& entry : *part.leaf) {
      if (entry.link_group != 0) ++counts[entry.link_group];
    }
    return {};
  }
  const auto& children = part.node->children;
  for (std::size_t i = 0; i < children.size(); ++i) {
    const std::size_t ahead = i + kLeavesAhead;
    if (step.level == 1 && ahead < children.size()) chunks_.prefetch(children[ahead].address);
    const auto below = static_cast<std::uint8_t>(step.level - 1);
    TRY(count_links({children[i].address, children[i].id, below, children[i].entries, children[i].first_path},
                    counts, stop));
  }
  return {};
}

// Under links_mutex_; null where they are not known.
std::shared_ptr<const Trees::LinkCounts> Trees::known_links(const model::Address& tree) {
  for (auto at = links_.begin(); at != links_.end(); ++at) {
    if (at->first != tree) continue;
    links_.splice(links_.begin(), links_, at);
    return links_.front().second;
  }
  return nullptr;
}

Result<std::shared_ptr<const Trees::LinkCounts>> Trees::link_counts(const model::Root& root,
                                                                    std::stop_token stop) {
  std::unique_lock lock(links_mutex_);
  // Where the one who walks it gives up, another one does it.
  while (counting_.contains(root.address)) {
    const bool done = counted_.wait(lock, stop, [&] { return !counting_.contains(root.address); });
    if (!done) return Error(Errc::stopped, "stopped");
  }
  if (auto known = known_links(root.address)) return known;
  counting_.insert(root.address);
  lock.unlock();
  // However the walk ends, others go on.
  struct Ended {
    ~Ended() {
      const std::lock_guard again(trees.links_mutex_);
      trees.counting_.erase(tree);
      trees.counted_.notify_all();
    }
    Trees& trees;
    const model::Address& tree;
  } const ended{*this, root.address};
  std::map<std::uint64_t, std::uint32_t> counts;
  TRY(count_links({root.address, root.id, root.level, root.entries}, counts, stop));
  auto links = std::make_shared<const LinkCounts>(counts.begin(), counts.end());
  const std::lock_guard again(links_mutex_);
  links_.emplace_front(root.address, links);
  if (links_.size() > kLinkCountsKept) links_.pop_back();
  return links;
}

std::uint64_t Trees::cached_bytes() const {
  const std::lock_guard lock(mutex_);
  return cache_.bytes();
}

}  // namespace holdfast::mount
