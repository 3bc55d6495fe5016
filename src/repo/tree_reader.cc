#include "repo/tree_reader.h"

#include "base/beneath.h"

namespace holdfast::repo {

using model::compare_paths;

TreeReader::TreeReader(ChunkReader& chunks, const model::Root& root) : chunks_(chunks), root_(root) {}

void TreeReader::seek(std::string path) {
  from_ = std::move(path);
  started_ = false;
  levels_.clear();
  entries_.clear();
  at_ = 0;
  last_path_.clear();
  last_other_.clear();
}

Result<const model::Entry*> TreeReader::next(std::stop_token stop) {
  while (at_ >= entries_.size()) {
    const bool more = TRY(next_leaf(stop));
    if (!more) return nullptr;
    while (at_ < entries_.size() && !from_.empty() && compare_paths(entries_[at_].path, from_) < 0) ++at_;
  }
  return &entries_[at_++];
}

Result<bool> TreeReader::next_leaf(std::stop_token stop) {
  entries_.clear();
  at_ = 0;
  if (!started_) {
    started_ = true;
    if (root_.level > model::kTreeLevelsMax) return Error(Errc::damaged, "a tree has too many levels");
    TRY(descend(claim_of(root_), true, root_.level, stop));
    return true;
  }
  while (!levels_.empty() && levels_.back().at >= levels_.back().children.size()) levels_.pop_back();
  if (levels_.empty()) return false;
  const model::Child child = levels_.back().children[levels_.back().at++];
  const auto level = static_cast<std::uint8_t>(root_.level - levels_.size());
  TRY(descend(child, false, level, stop));
  return true;
}

Result<Buffer> TreeReader::read_node(const model::Address& address, const model::ShortId& id,
                                     model::ChunkType type, std::stop_token stop) {
  if (on_node) on_node(address);
  const DirectoryEntry found = TRY(chunks_.describe(address, stop));
  TRY(expect_part(model::short_id(found.id), found.type, id, type));
  const Bytes bytes = TRY(chunks_.read(address, stop));
  return Buffer(bytes.begin(), bytes.end());
}

// Of the children of one node no two begin alike, so that a node can be in one place of a tree only.
Result<void> TreeReader::compare(const model::Child& claim, bool is_root, std::string_view first_path,
                                 const model::Child& sums) const {
  if (!is_root && claim.first_path != first_path) {
    return Error(Errc::damaged, "a tree's node does not begin where the node above says");
  }
  const bool same = claim.entries == sums.entries && claim.files == sums.files && claim.bytes == sums.bytes;
  if (strict && !same) return Error(Errc::damaged, "a tree's node has not what the node above says");
  return {};
}

// Goes down from a node to the first wanted leaf below it.
Result<void> TreeReader::descend(model::Child claim, bool is_root, std::uint8_t level, std::stop_token stop) {
  for (; level > 0; --level, is_root = false) {
    if (wanted && !wanted(claim.address)) return {};
    const Buffer bytes = TRY(read_node(claim.address, claim.id, model::ChunkType::node, stop));
    Level here;
    here.children = TRY(model::decode_node(bytes, level));
    model::Child sums;
    for (const model::Child& child : here.children) {
      sums.entries += child.entries;
      sums.files += child.files;
      sums.bytes += child.bytes;
    }
    TRY(compare(claim, is_root, here.children.front().first_path, sums));
    if (!from_.empty()) {
      // The last child that begins at or before `from_` may hold it.
      while (here.at + 1 < here.children.size() &&
             compare_paths(here.children[here.at + 1].first_path, from_) <= 0) {
        ++here.at;
      }
    }
    claim = here.children[here.at++];
    levels_.push_back(std::move(here));
  }
  if (wanted && !wanted(claim.address)) return {};
  const Buffer leaf = TRY(read_node(claim.address, claim.id, model::ChunkType::leaf, stop));
  auto read = read_leaf(leaf, stop);
  if (read.ok()) {
    model::Child sums;
    sums.entries = entries_.size();
    for (const model::Entry& entry : entries_) {
      sums.files += entry.attributes.type == model::FileType::regular ? 1 : 0;
      sums.bytes += entry.size_bytes;
    }
    read = compare(claim, is_root, entries_.empty() ? "" : std::string_view(entries_.front().path), sums);
  }
  if (read.ok()) read = check_order();
  if (!read.ok()) entries_.clear();  // nothing of it is to be believed
  return read;
}

// Within a leaf the decoder has seen to the order.
Result<void> TreeReader::check_order() {
  if (entries_.empty()) return {};
  if (!last_path_.empty() && compare_paths(last_path_, entries_.front().path) >= 0) {
    return Error(Errc::damaged, "a tree's entries are out of order");
  }
  for (const model::Entry& entry : entries_) {
    if (!last_other_.empty() && is_at_or_below(entry.path, last_other_))
      return Error(Errc::damaged, "a tree has entries below " + last_other_ + ", which is no directory");
    if (entry.attributes.type != model::FileType::directory) last_other_.assign(entry.path);
  }
  last_path_.assign(entries_.back().path);
  return {};
}

Result<void> TreeReader::read_leaf(Bytes bytes, std::stop_token stop) {
  const auto base_of = [&](const model::Delta& delta) -> Result<const std::vector<model::Entry>*> {
    if (!base_.empty() && base_address_ == delta.base) {
      if (on_node) on_node(delta.base);
      return &base_;
    }
    base_.clear();
    const Buffer base_bytes = TRY(read_node(delta.base, delta.base_id, model::ChunkType::leaf, stop));
    TRY(decode_base(base_bytes, base_));
    base_address_ = delta.base;
    return &base_;
  };
  return decode_entries(bytes, base_of, entries_);
}

Result<void> expect_part(const model::ShortId& found, model::ChunkType found_type, const model::ShortId& id,
                         model::ChunkType type) {
  if (found != id) return Error(Errc::damaged, "a tree refers to a node that is another one");
  if (found_type != type) return Error(Errc::damaged, "a tree refers to a chunk of another type");
  return {};
}

Result<void> decode_entries(Bytes leaf_bytes, const BaseOf& base_of, std::vector<model::Entry>& out) {
  const model::Leaf leaf = TRY(model::decode_leaf(leaf_bytes));
  if (!leaf.is_delta) return model::decode_block(leaf.block, out);
  std::vector<model::Entry> changed;
  TRY(model::decode_block(leaf.block, changed));
  const std::vector<model::Entry>* base = TRY(base_of(leaf.delta));
  return model::apply_delta(leaf.delta, *base, std::move(changed), out);
}

Result<void> decode_base(Bytes leaf, std::vector<model::Entry>& out) {
  const model::Leaf base = TRY(model::decode_leaf(leaf));
  if (base.is_delta) return Error(Errc::damaged, "a tree leaf is based on one that is not full");
  auto decoded = model::decode_block(base.block, out);
  if (!decoded.ok()) out.clear();
  return decoded;
}

model::Child claim_of(const model::Root& root) {
  return {.first_path = "",
          .address = root.address,
          .id = root.id,
          .entries = root.entries,
          .files = root.files,
          .bytes = root.bytes};
}

Result<std::vector<model::Child>> read_children(ChunkReader& chunks, const model::Child& claim,
                                                std::uint8_t level, std::stop_token stop) {
  if (level > model::kTreeLevelsMax) return Error(Errc::damaged, "a tree has too many levels");
  const DirectoryEntry found = TRY(chunks.describe(claim.address, stop));
  TRY(expect_part(model::short_id(found.id), found.type, claim.id, model::ChunkType::node));
  const Bytes bytes = TRY(chunks.read(claim.address, stop));
  auto children = TRY(model::decode_node(bytes, level));
  if (!claim.first_path.empty() && claim.first_path != children.front().first_path)
    return Error(Errc::damaged, "a tree's node does not begin where the node above says");
  return children;
}

Result<std::optional<model::Entry>> find_entry(ChunkReader& chunks, const model::Root& root,
                                               const std::string& path, std::stop_token stop) {
  TreeReader reader(chunks, root);
  reader.seek(path);
  const model::Entry* entry = TRY(reader.next(stop));
  if (entry == nullptr || entry->path != path) return std::optional<model::Entry>();
  return std::optional<model::Entry>(*entry);
}

}  // namespace holdfast::repo
