#include "repo/tree_reader.h"

namespace holdfast::repo {

using model::compare_paths;

TreeReader::TreeReader(ChunkReader& chunks, const model::Root& root) : chunks_(chunks), root_(root) {}

void TreeReader::seek(std::string path) {
  from_ = std::move(path);
  started_ = false;
  levels_.clear();
  entries_.clear();
  at_ = 0;
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
    TRY(descend(root_.address, root_.id, root_.level, stop));
    return true;
  }
  while (!levels_.empty() && levels_.back().at >= levels_.back().children.size()) levels_.pop_back();
  if (levels_.empty()) return false;
  const model::Child child = levels_.back().children[levels_.back().at++];
  const auto level = static_cast<std::uint8_t>(root_.level - levels_.size());
  TRY(descend(child.address, child.id, level, stop));
  return true;
}

Result<Buffer> TreeReader::read_node(const model::Address& address, const model::ShortId& id,
                                     std::stop_token stop) {
  if (on_node) on_node(address);
  const DirectoryEntry found = TRY(chunks_.describe(address, stop));
  if (model::short_id(found.id) != id)
    return Error(Errc::damaged, "a tree refers to a node that is another one");
  const Bytes bytes = TRY(chunks_.read(address, stop));
  return Buffer(bytes.begin(), bytes.end());
}

// Goes down from a node to the first wanted leaf below it.
Result<void> TreeReader::descend(const model::Address& address, const model::ShortId& id, std::uint8_t level,
                                 std::stop_token stop) {
  model::Address at = address;
  model::ShortId expected = id;
  for (; level > 0; --level) {
    if (wanted && !wanted(at)) return {};
    const Buffer bytes = TRY(read_node(at, expected, stop));
    Level here;
    here.children = TRY(model::decode_node(bytes, level));
    if (!from_.empty()) {
      // The last child that begins at or before `from_` may hold it.
      while (here.at + 1 < here.children.size() &&
             compare_paths(here.children[here.at + 1].first_path, from_) <= 0) {
        ++here.at;
      }
    }
    const model::Child& child = here.children[here.at++];
    at = child.address;
    expected = child.id;
    levels_.push_back(std::move(here));
  }
  if (wanted && !wanted(at)) return {};
  const Buffer leaf = TRY(read_node(at, expected, stop));
  return read_leaf(leaf, stop);
}

Result<void> TreeReader::read_leaf(Bytes bytes, std::stop_token stop) {
  const model::Leaf leaf = TRY(model::decode_leaf(bytes));
  if (!leaf.is_delta) return model::decode_block(leaf.block, entries_);
  std::vector<model::Entry> changed;
  TRY(model::decode_block(leaf.block, changed));
  if (base_.empty() || base_address_ != leaf.delta.base) {
    const Buffer base_bytes = TRY(read_node(leaf.delta.base, leaf.delta.base_id, stop));
    const model::Leaf base = TRY(model::decode_leaf(base_bytes));
    if (base.is_delta) return Error(Errc::damaged, "a tree leaf is based on one that is not full");
    TRY(model::decode_block(base.block, base_));
    base_address_ = leaf.delta.base;
  } else if (on_node) {
    on_node(leaf.delta.base);
  }
  return model::apply_delta(leaf.delta, base_, std::move(changed), entries_);
}

Result<std::vector<model::Child>> read_children(ChunkReader& chunks, const model::Address& address,
                                                const model::ShortId& id, std::uint8_t level,
                                                std::stop_token stop) {
  const DirectoryEntry found = TRY(chunks.describe(address, stop));
  if (model::short_id(found.id) != id)
    return Error(Errc::damaged, "a tree refers to a node that is another one");
  const Bytes bytes = TRY(chunks.read(address, stop));
  return model::decode_node(bytes, level);
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
