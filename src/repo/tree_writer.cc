#include "repo/tree_writer.h"

#include "crypto/hash.h"
#include "repo/pack_reader.h"

namespace holdfast::repo {

namespace {

// A leaf ends before it has more, unless one file alone does: some 3 MiB, and 16 MiB in a reader's memory.
constexpr std::size_t kLeafExtentsMax = 256 * 1024;
constexpr std::uint64_t kLeafModulus = 512;
constexpr std::uint64_t kNodeModulus = 128;
// A leaf is stored as a delta where less than 1/4 of it changed.
constexpr std::size_t kDeltaDivisor = 4;
constexpr int kTreeLevel = 3;  // zstd

}  // namespace

TreeWriter::TreeWriter(ChunkWriter& chunks, model::References& references, LocalTreeWriter& local,
                       const std::vector<std::pair<model::ShortId, model::Address>>& known)
    : keys_(chunks.keys()),
      chunks_(chunks),
      references_(references),
      local_(local),
      known_(known.begin(), known.end()) {}

bool TreeWriter::ends(std::uint8_t level, std::string_view path, std::uint64_t modulus) const {
  const Hash hash = level == 0 ? crypto::keyed_hash(keys_.tree(), as_bytes(path))
                               : crypto::keyed_hash(keys_.tree(), {Bytes(&level, 1), as_bytes(path)});
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < 8; ++i) word |= std::uint64_t{hash[i]} << (8 * i);
  return word % modulus == 0;
}

Result<void> TreeWriter::add(model::Entry entry, const model::Stamp& stamp, Provenance provenance,
                             std::stop_token stop) {
  if (!model::fits_leaf(entry)) {
    return Error(Errc::unsupported, "/" + entry.path.substr(0, 1000) + ": too large for a snapshot's tree");
  }
  const std::uint64_t text = model::text_bytes(entry);
  const bool too_large = text_bytes_ + text > model::kLeafTextBytesMax ||
                         (!entries_.empty() && extents_ + entry.content.size() > kLeafExtentsMax);
  if (too_large) TRY(close_leaf(stop));
  text_bytes_ += text;
  extents_ += entry.content.size();
  const model::Address* last = nullptr;
  for (const model::Extent& extent : entry.content) {
    if (extent.hole || (last != nullptr && *last == extent.chunk)) continue;
    insert(references_, extent.chunk);
    last = &extent.chunk;
  }
  const bool full = ends(0, entry.path, kLeafModulus) || entries_.size() + 1 >= model::kLeafEntriesMax;
  entries_.push_back({std::move(entry), stamp, {}});
  provenances_.push_back(std::move(provenance));
  return full ? close_leaf(stop) : Result<void>();
}

// The old leaf that this one is equal to, if any.
const LeafOrigin* TreeWriter::reusable() const {
  if (provenances_.empty()) return nullptr;
  const LeafOrigin* leaf = provenances_.front().leaf.get();
  if (leaf == nullptr || leaf->entries != provenances_.size()) return nullptr;
  for (const Provenance& p : provenances_) {
    if (p.leaf.get() != leaf || !p.unchanged) return nullptr;
  }
  return leaf;
}

std::shared_ptr<const LeafOrigin> TreeWriter::base_for_delta() const {
  for (const Provenance& p : provenances_) {
    if (p.leaf != nullptr && p.unchanged) return p.leaf;
  }
  return nullptr;
}

// Notes how every entry relates to the base; gives the base's positions that are gone.
std::vector<std::uint32_t> TreeWriter::relate_to(const LeafOrigin& base) {
  std::vector<bool> present(base.base_entries);
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const Provenance& p = provenances_[i];
    BasePosition& position = entries_[i].base;
    position = {};
    if (p.leaf == nullptr || p.leaf->base != base.base || !p.base.present) continue;
    if (p.base.position >= present.size()) continue;
    present[p.base.position] = true;
    position = {p.base.position, true, p.base.same && p.unchanged};
  }
  std::vector<std::uint32_t> removed;
  for (std::uint32_t i = 0; i < present.size(); ++i) {
    if (!present[i]) removed.push_back(i);
  }
  return removed;
}

Result<TreeWriter::Stored> TreeWriter::store(model::ChunkType type, Bytes plain, std::stop_token stop) {
  const ChunkName name = name_chunk(keys_.chunk_id(), type, plain);
  const model::ChunkId& id = name.id;
  if (const auto known = find ? find(model::short_id(id)) : std::nullopt) {
    insert(references_, *known);
    return Stored{*known, model::short_id(id)};
  }
  const NewChunk chunk = TRY(maker_.make(type, name, plain, kTreeLevel));
  const model::Address address = TRY(chunks_.put(chunk, stop));
  ++stored_chunks_;
  stored_plain_bytes_ += plain.size();
  stored_bytes_ += chunk.stored.size();
  insert(references_, address);
  if (stored) stored(model::short_id(id), address);
  return Stored{address, model::short_id(id)};
}

Result<LeafOrigin> TreeWriter::store_leaf(std::stop_token stop) {
  std::vector<model::Entry> all;
  for (std::uint32_t i = 0; i < entries_.size(); ++i) {
    all.push_back(entries_[i].entry);
    entries_[i].base = {i, true, true};
  }
  const Stored leaf = TRY(store(model::ChunkType::leaf, model::encode_leaf(all), stop));
  LeafOrigin origin;
  origin.address = origin.base = leaf.address;
  origin.id = origin.base_id = leaf.id;
  origin.base_entries = static_cast<std::uint32_t>(all.size());
  return origin;
}

Result<LeafOrigin> TreeWriter::store_delta(const LeafOrigin& base, const std::vector<std::uint32_t>& removed,
                                           std::stop_token stop) {
  std::vector<model::Entry> changed;
  for (const LocalEntry& e : entries_) {
    if (!e.base.same) changed.push_back(e.entry);
  }
  const model::Delta delta{base.base, base.base_id, removed};
  const Stored leaf = TRY(store(model::ChunkType::leaf, model::encode_delta(delta, changed), stop));
  insert(references_, base.base);
  LeafOrigin origin;
  origin.address = leaf.address;
  origin.id = leaf.id;
  origin.base = base.base;
  origin.base_id = base.base_id;
  origin.base_entries = base.base_entries;
  return origin;
}

Result<void> TreeWriter::close_leaf(std::stop_token stop) {
  model::Child child;
  child.first_path = entries_.empty() ? "" : entries_.front().entry.path;
  child.entries = entries_.size();
  for (const LocalEntry& e : entries_) {
    if (e.entry.attributes.type == model::FileType::regular) ++child.files;
    child.bytes += e.entry.size_bytes;
  }
  if (const LeafOrigin* old = reusable()) {
    child.address = old->address;
    child.id = old->id;
    insert(references_, old->address);
    insert(references_, old->base);
    local_.add_record(old->record);
  } else {
    const std::shared_ptr<const LeafOrigin> base = base_for_delta();
    const auto removed = base != nullptr ? relate_to(*base) : std::vector<std::uint32_t>();
    const auto changed = static_cast<std::size_t>(
        std::count_if(entries_.begin(), entries_.end(), [](const LocalEntry& e) { return !e.base.same; }));
    const bool small = base != nullptr && (changed + removed.size()) * kDeltaDivisor < entries_.size();
    auto kept = small ? store_delta(*base, removed, stop) : store_leaf(stop);
    const LeafOrigin origin = TRY(std::move(kept));
    child.address = origin.address;
    child.id = origin.id;
    std::vector<model::Entry> all;
    for (LocalEntry& e : entries_) all.push_back(std::move(e.entry));
    Encoder block;
    model::encode_block(block, all);
    local_.add(origin, entries_, block.bytes());
  }
  entries_.clear();
  provenances_.clear();
  text_bytes_ = 0;
  extents_ = 0;
  return add_child(0, std::move(child), stop);
}

Result<void> TreeWriter::add_child(std::size_t level, model::Child child, std::stop_token stop) {
  if (levels_.size() <= level) levels_.resize(level + 1);
  const bool full = ends(static_cast<std::uint8_t>(level + 1), child.first_path, kNodeModulus) ||
                    levels_[level].size() + 1 >= model::kNodeChildrenMax;
  std::uint64_t text = child.first_path.size();
  for (const model::Child& other : levels_[level]) text += other.first_path.size();
  if (text > model::kNodeTextBytesMax) TRY(close_node(level, stop));
  levels_[level].push_back(std::move(child));
  return full ? close_node(level, stop) : Result<void>();
}

Result<void> TreeWriter::close_node(std::size_t level, std::stop_token stop) {
  const std::vector<model::Child> children = std::exchange(levels_[level], {});
  model::Child parent;
  parent.first_path = children.front().first_path;
  for (const model::Child& c : children) {
    parent.entries += c.entries;
    parent.files += c.files;
    parent.bytes += c.bytes;
  }
  const Buffer plain = model::encode_node(static_cast<std::uint8_t>(level + 1), children);
  parent.id = model::short_id(chunk_id(keys_.chunk_id(), model::ChunkType::node, plain));
  const auto known = known_.find(parent.id);
  if (known != known_.end()) {
    parent.address = known->second;
    insert(references_, parent.address);
  } else {
    const Stored kept = TRY(store(model::ChunkType::node, plain, stop));
    parent.address = kept.address;
  }
  nodes_.emplace_back(parent.id, parent.address);
  return add_child(level + 1, std::move(parent), stop);
}

Result<model::Root> TreeWriter::finish(std::stop_token stop) {
  if (!entries_.empty() || levels_.empty()) TRY(close_leaf(stop));
  // From the leaves up, close what is open, until one child is left that nothing lies above.
  std::size_t level = 0;
  while (level + 1 < levels_.size() || levels_[level].size() != 1) {
    if (!levels_[level].empty()) TRY(close_node(level, stop));
    ++level;
  }
  const model::Child& top = levels_[level].front();
  model::Root root;
  root.level = static_cast<std::uint8_t>(level);
  root.address = top.address;
  root.id = top.id;
  root.entries = top.entries;
  root.files = top.files;
  root.bytes = top.bytes;
  return root;
}

}  // namespace holdfast::repo
