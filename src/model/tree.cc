#include "model/tree.h"

namespace holdfast::model {

std::uint64_t text_bytes(const Attributes& attributes) {
  std::uint64_t bytes = attributes.user.size() + attributes.group.size();
  for (const Xattr& x : attributes.xattrs) bytes += x.name.size() + x.value.size() + kXattrTextBytes;
  return bytes;
}

std::uint64_t text_bytes(const Entry& entry) {
  return entry.path.size() + entry.target.size() + text_bytes(entry.attributes);
}

bool fits_leaf(const Entry& entry) {
  return entry.path.size() <= kPathBytesMax && text_bytes(entry) <= kLeafTextBytesMax &&
         entry.content.size() <= kLeafExtentsMax;
}

Buffer encode_leaf(const std::vector<Entry>& entries) {
  Encoder out;
  out.u8(kTreeVersion);
  out.u8(0);
  encode_block(out, entries);
  return out.take();
}

Buffer encode_delta(const Delta& delta, const std::vector<Entry>& changed) {
  Encoder out;
  out.u8(kTreeVersion);
  out.u8(1);
  encode(out, delta.base);
  out.raw(delta.base_id);
  out.varint(delta.removed.size());
  std::uint32_t next = 0;
  for (std::uint32_t position : delta.removed) {
    out.varint(position - next);
    next = position + 1;
  }
  encode_block(out, changed);
  return out.take();
}

Result<Leaf> decode_leaf(Bytes bytes) {
  Decoder in(bytes);
  Leaf leaf;
  const std::uint8_t version = in.u8();
  const std::uint8_t form = in.u8();
  if (version != kTreeVersion || form > 1) in.fail();
  leaf.is_delta = form == 1;
  if (leaf.is_delta) {
    leaf.delta.base = decode_address(in);
    leaf.delta.base_id = in.array<16>();
    leaf.delta.removed.resize(in.count(1));
    std::uint64_t next = 0;
    for (std::uint32_t& position : leaf.delta.removed) {
      const std::uint64_t at = next + in.varint32();
      if (at >= kLeafEntriesMax) in.fail();
      position = static_cast<std::uint32_t>(at);
      next = at + 1;
    }
  }
  TRY(in.finish("a tree leaf", true));
  leaf.block = bytes.last(in.left());
  return leaf;
}

Result<void> apply_delta(const Delta& delta, const std::vector<Entry>& base, std::vector<Entry>&& changed,
                         std::vector<Entry>& out) {
  out.clear();
  auto removed = delta.removed.begin();
  auto change = changed.begin();
  for (std::size_t i = 0; i < base.size(); ++i) {
    const bool gone = removed != delta.removed.end() && *removed == i;
    if (gone) ++removed;
    int order = 1;
    while (change != changed.end() && (order = compare_paths(change->path, base[i].path)) < 0) {
      out.push_back(std::move(*change++));
    }
    const bool replaced = change != changed.end() && order == 0;
    if (replaced) out.push_back(std::move(*change++));
    if (!gone && !replaced) out.push_back(base[i]);
  }
  if (removed != delta.removed.end()) return Error(Errc::damaged, "a tree leaf removes what its base lacks");
  std::move(change, changed.end(), std::back_inserter(out));
  // Each of the two is within the limits, and memory with them; but no writer makes such a leaf.
  std::uint64_t text = 0;
  for (const Entry& entry : out) text += text_bytes(entry);
  if (out.size() > kLeafEntriesMax || text > kLeafTextBytesMax) {
    return Error(Errc::damaged, "a tree leaf is larger than a leaf may be");
  }
  return {};
}

Buffer encode_node(std::uint8_t level, const std::vector<Child>& children) {
  std::vector<TransactionId> transactions;
  Encoder body;
  std::string_view before;
  for (const Child& child : children) {
    const auto limit = static_cast<std::ptrdiff_t>(std::min(before.size(), child.first_path.size()));
    const auto shared =
        std::mismatch(before.begin(), before.begin() + limit, child.first_path.begin()).first -
        before.begin();
    body.varint(static_cast<std::uint64_t>(shared));
    body.string(std::string_view(child.first_path).substr(static_cast<std::size_t>(shared)));
    before = child.first_path;
    auto known = std::find(transactions.begin(), transactions.end(), child.address.pack.transaction);
    if (known == transactions.end()) known = transactions.insert(known, child.address.pack.transaction);
    body.varint(static_cast<std::uint64_t>(known - transactions.begin()));
    body.varint(child.address.pack.pack);
    body.varint(child.address.slot);
    body.raw(child.id);
    body.varint(child.entries);
    body.varint(child.files);
    body.varint(child.bytes);
  }
  Encoder out;
  out.u8(kTreeVersion);
  out.u8(level);
  out.varint(transactions.size());
  for (const TransactionId& id : transactions) encode(out, id);
  out.varint(children.size());
  out.raw(body.bytes());
  return out.take();
}

Result<std::vector<Child>> decode_node(Bytes bytes, std::uint8_t level) {
  Decoder in(bytes);
  if (in.u8() != kTreeVersion || in.u8() != level || level == 0) in.fail();
  std::vector<TransactionId> transactions(in.count(12));
  for (TransactionId& id : transactions) id = decode_transaction(in);
  const std::uint64_t count = in.count(24);
  if (count > kNodeChildrenMax) in.fail();
  std::vector<Child> children(in.ok() ? count : 0);
  std::string_view before;
  std::uint64_t text = 0;
  for (Child& child : children) {
    const std::uint64_t shared = in.varint();
    const std::string_view rest = in.string();
    const std::uint64_t transaction = in.varint();
    child.address.pack.pack = in.varint32();
    child.address.slot = in.varint32();
    child.id = in.array<16>();
    child.entries = in.varint();
    child.files = in.varint();
    child.bytes = in.varint();
    if (!in.ok() || shared > before.size() || shared + rest.size() > kPathBytesMax ||
        transaction >= transactions.size() || child.address.slot >= kSlotsMax ||
        (text += shared + rest.size()) > kNodeTextBytesMax) {
      in.fail();
      break;
    }
    child.address.pack.transaction = transactions[transaction];
    child.first_path.assign(before.substr(0, shared));
    child.first_path += rest;
    if (!before.empty() && compare_paths(before, child.first_path) >= 0) in.fail();
    before = child.first_path;
  }
  if (in.ok() && children.empty()) in.fail();
  TRY(in.finish("a tree node"));
  return children;
}

}  // namespace holdfast::model
