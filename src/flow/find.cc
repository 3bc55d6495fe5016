#include "flow/find.h"

namespace holdfast::flow {

namespace {

constexpr std::size_t kRememberedMax = 50'000;

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

Result<std::uint64_t> Finder::look_into_leaf(const model::Address& address, const model::ShortId& id,
                                             const OnMatch& on_match, std::stop_token stop) {
  model::Root leaf;
  leaf.address = address;
  leaf.id = id;
  repo::TreeReader tree(chunks_, leaf);
  Matches found;
  for (;;) {
    const model::Entry* entry = TRY(tree.next(stop));
    if (entry == nullptr) break;
    if (matches(spec_, *entry)) found.push_back(*entry);
  }
  for (const model::Entry& entry : found) on_match(entry);
  const std::uint64_t count = found.size();
  if (count == 0) {
    without_.insert(address);
  } else if (remembered_ + count <= kRememberedMax) {
    remembered_ += count;
    known_[address] = std::move(found);
  }
  return count;
}

Result<std::uint64_t> Finder::look_into(const model::Address& address, const model::ShortId& id,
                                        std::uint8_t level, const OnMatch& on_match, std::stop_token stop) {
  if (without_.contains(address)) return std::uint64_t{0};
  if (stop.stop_requested()) return Error(Errc::stopped, "stopped while looking");
  if (const auto known = known_.find(address); known != known_.end()) {
    for (const model::Entry& entry : known->second) on_match(entry);
    return std::uint64_t{known->second.size()};
  }
  if (level == 0) return look_into_leaf(address, id, on_match, stop);
  std::uint64_t count = 0;
  const std::vector<model::Child> children = TRY(repo::read_children(chunks_, address, id, level, stop));
  for (const model::Child& child : children) {
    count += TRY(look_into(child.address, child.id, static_cast<std::uint8_t>(level - 1), on_match, stop));
  }
  if (count == 0) without_.insert(address);
  return count;
}

Result<std::uint64_t> Finder::find(const model::Commit& commit, const OnMatch& on_match,
                                   std::stop_token stop) {
  std::uint64_t count = 0;
  for (const model::Root& root : commit.roots)
    count += TRY(look_into(root.address, root.id, root.level, on_match, stop));
  return count;
}

}  // namespace holdfast::flow
