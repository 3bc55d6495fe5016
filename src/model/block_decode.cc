// From columns to entries, refusing what can't be. docs/format/tree.md, "Leaf".
#include "base/beneath.h"
#include "model/block.h"

namespace holdfast::model {

namespace {

// How much text is still allowed.
class TextLimit {
 public:
  // False, and the input is refused, where there would be too much.
  bool take(Decoder& in, std::uint64_t bytes) {
    if (bytes > left_) in.fail();
    left_ -= std::min(bytes, left_);
    return in.ok();
  }

 private:
  std::uint64_t left_ = kLeafTextBytesMax;
};

bool has_nul(std::string_view text) { return text.find('\0') != text.npos; }

// What the tables of a block say, decoded.
struct Decoded {
  std::vector<Extent> chunks;  // chunk and id filled
  std::vector<Attributes> attributes;
};

Attributes decode_attributes(Decoder& in, TextLimit& limit) {
  Attributes a;
  const std::uint8_t first = in.u8();
  const auto type = static_cast<std::uint8_t>(first & ~(kHasFlags | kHasProject));
  if (type > static_cast<std::uint8_t>(FileType::block_device)) in.fail();
  a.type = static_cast<FileType>(type);
  a.mode = in.varint32();
  if (a.mode > 07777) in.fail();
  a.uid = in.varint32();
  a.gid = in.varint32();
  a.user = in.string();
  a.group = in.string();
  const std::uint64_t count = in.count(2);
  if (!limit.take(in, a.user.size() + a.group.size() + count * kXattrTextBytes)) return {};
  a.xattrs.resize(count);
  for (Xattr& x : a.xattrs) {
    x.name = in.string();
    x.value = in.string();
    if (has_nul(x.name)) in.fail();  // another name to whom it is given as a C string
  }
  // What is said to be there isn't 0, so that there is one way to say a thing.
  if ((first & kHasFlags) != 0 && (a.flags = in.varint32()) == 0) in.fail();
  if ((first & kHasProject) != 0 && (a.project = in.varint32()) == 0) in.fail();
  return a;
}

Decoded decode_tables(Decoder& in) {
  Decoded tables;
  std::vector<TransactionId> transactions(in.count(12));
  for (TransactionId& id : transactions) id = decode_transaction(in);
  tables.chunks.resize(in.count(4));
  for (Extent& chunk : tables.chunks) {
    const std::uint64_t transaction = in.varint();
    chunk.chunk.pack.pack = in.varint32();
    chunk.chunk.slot = in.varint32();
    if (in.u8() != 0) chunk.id = in.array<16>();
    if (!in.ok() || transaction >= transactions.size() || chunk.chunk.slot >= kSlotsMax) {
      in.fail();
      return {};
    }
    chunk.chunk.pack.transaction = transactions[transaction];
  }
  const std::uint64_t attributes = in.count(7);
  if (attributes > kLeafEntriesMax) in.fail();
  if (!in.ok()) return tables;
  tables.attributes.resize(attributes);
  TextLimit limit;
  for (Attributes& a : tables.attributes) a = decode_attributes(in, limit);
  return tables;
}

void decode_paths(Decoder& in, std::vector<Entry>& entries, TextLimit& limit) {
  std::string_view before;
  for (Entry& entry : entries) {
    const std::uint64_t shared = in.varint();
    const std::string_view rest = in.string();
    const std::uint64_t length = shared + rest.size();
    if (shared > before.size() || length > kPathBytesMax) in.fail();
    if (!limit.take(in, length)) return;
    entry.path.assign(before.substr(0, shared));
    entry.path += rest;
    // Paths are what a restore makes names from: nothing in them may lead anywhere else.
    if (!is_plain_path(entry.path) || (!before.empty() && compare_paths(before, entry.path) >= 0)) {
      in.fail();
      return;
    }
    before = entry.path;
  }
}

void decode_times(Decoder& in, std::vector<Entry>& entries) {
  std::int64_t seconds = 0;
  for (Entry& entry : entries) {
    seconds = static_cast<std::int64_t>(static_cast<std::uint64_t>(seconds) +
                                        static_cast<std::uint64_t>(in.svarint()));
    entry.mtime.seconds = seconds;
  }
  Time last;
  for (Entry& entry : entries) {
    const std::int64_t value = in.svarint();
    const std::int64_t base = entry.mtime.seconds == last.seconds ? std::int64_t{last.nanoseconds} : 0;
    // Compared before they are added: a hostile value must not overflow.
    if (value < -base || value >= 1'000'000'000 - base) in.fail();
    if (!in.ok()) return;
    entry.mtime.nanoseconds = static_cast<std::uint32_t>(base + value);
    last = entry.mtime;
  }
}

// Each position takes at least `item_bytes_min` bytes.
template <typename Put>
void decode_sparse(Decoder& in, std::vector<Entry>& entries, Put put, std::uint64_t item_bytes_min = 2) {
  const std::uint64_t n = in.count(item_bytes_min);
  std::uint64_t next = 0;
  for (std::uint64_t i = 0; i < n && in.ok(); ++i) {
    const std::uint64_t gap = in.varint();
    if (gap >= entries.size() || next + gap >= entries.size()) {
      in.fail();
      return;
    }
    put(entries[next + gap]);
    next += gap + 1;
  }
}

void decode_births(Decoder& in, std::vector<Entry>& entries) {
  for (Entry& e : entries) e.birth.reset();
  if (in.left() == 0) return;
  decode_sparse(
      in, entries, [](Entry& e) { e.birth.emplace(); }, 1);
  for (Entry& e : entries) {
    if (!e.birth) continue;
    e.birth->seconds = static_cast<std::int64_t>(static_cast<std::uint64_t>(e.mtime.seconds) +
                                                 static_cast<std::uint64_t>(in.svarint()));
  }
  for (Entry& e : entries) {
    if (!e.birth) continue;
    const std::int64_t base = e.birth->seconds == e.mtime.seconds ? std::int64_t{e.mtime.nanoseconds} : 0;
    const std::int64_t value = in.svarint();
    if (value < -base || value >= 1'000'000'000 - base) in.fail();
    if (!in.ok()) return;
    e.birth->nanoseconds = static_cast<std::uint32_t>(base + value);
  }
}

void decode_content(Decoder& in, Entry& entry, const Decoded& tables, Cursor& cursor, Extent& last,
                    std::uint64_t& extents_left) {
  entry.content.clear();
  if (entry.attributes.type != FileType::regular || entry.size_bytes == 0) return;
  const std::uint64_t code = in.varint();
  const std::uint64_t extents = std::max<std::uint64_t>(code, 2) - 1;
  if (extents > extents_left) {
    in.fail();
    return;
  }
  extents_left -= extents;
  if (code == 0) {
    if (!cursor.valid) in.fail();
    Extent extent = last;
    extent.offset = cursor.end;
    extent.length = entry.size_bytes;
    entry.content.push_back(extent);
  }
  std::uint64_t covered = code == 0 ? entry.size_bytes : 0;
  for (std::uint64_t i = 1; i < code && in.ok(); ++i) {
    Extent extent;
    const std::uint64_t what = in.varint();
    if (what > tables.chunks.size()) {
      in.fail();
      break;
    }
    extent.hole = what == 0;
    if (what > 0) {
      extent = tables.chunks[what - 1];
      extent.offset = in.varint();
    }
    extent.length = in.varint();
    if (extent.length == 0 || extent.length > entry.size_bytes - covered) in.fail();
    covered += extent.length;
    entry.content.push_back(extent);
  }
  if (covered != entry.size_bytes) in.fail();
  if (!in.ok() || entry.content.back().hole) return;
  last = entry.content.back();
  cursor = {true, last.chunk, last.offset + last.length};
}

}  // namespace

Result<void> decode_block(Bytes block, std::vector<Entry>& entries) {
  Decoder in(block);
  // The least an entry takes: shared, an empty-or-longer rest of 1, attribute, two times.
  const std::uint64_t count = in.count(5);
  if (count > kLeafEntriesMax) in.fail();
  entries.resize(in.ok() ? count : 0);
  const Decoded tables = decode_tables(in);
  TextLimit limit;
  decode_paths(in, entries, limit);
  for (Entry& entry : entries) {
    const std::uint64_t attribute = in.varint();
    if (attribute >= tables.attributes.size()) {
      in.fail();
      break;
    }
    if (!limit.take(in, text_bytes(tables.attributes[attribute]))) break;
    entry.attributes = tables.attributes[attribute];
  }
  if (!in.ok()) return in.finish("a tree leaf");
  decode_times(in, entries);
  for (Entry& entry : entries) {
    entry.size_bytes = entry.attributes.type == FileType::regular ? in.varint() : 0;
    entry.link_group = 0;
    entry.changed_while_read = false;
    entry.target.clear();
    entry.device = 0;
  }
  decode_sparse(in, entries, [&](Entry& e) { e.link_group = in.varint(); });
  decode_sparse(in, entries, [&](Entry& e) { e.changed_while_read = (in.u8() & 1) != 0; });
  for (Entry& entry : entries) {
    if (entry.attributes.type == FileType::symlink) entry.target = in.string();
    if (has_nul(entry.target)) in.fail();  // no link can lead there
    if (!limit.take(in, entry.target.size())) break;
  }
  for (Entry& entry : entries) {
    if (is_device(entry)) entry.device = in.varint();
  }
  Cursor cursor;
  Extent last;
  std::uint64_t extents_left = kLeafExtentsMax;
  for (std::size_t i = 0; i < entries.size() && in.ok(); ++i) {
    decode_content(in, entries[i], tables, cursor, last, extents_left);
  }
  if (in.ok()) decode_births(in, entries);
  return in.finish("a tree leaf");
}

}  // namespace holdfast::model
