// Blocks: entries as columns. docs/format/tree.md, "Leaf".
#include "base/beneath.h"
#include "model/block_tables.h"
#include "model/tree.h"

namespace holdfast::model {

namespace {

void encode(Encoder& out, const Attributes& a) {
  out.u8(static_cast<std::uint8_t>(a.type));
  out.varint(a.mode);
  out.varint(a.uid);
  out.varint(a.gid);
  out.string(a.user);
  out.string(a.group);
  out.varint(a.xattrs.size());
  for (const Xattr& x : a.xattrs) {
    out.string(x.name);
    out.string(x.value);
  }
}

void encode(Encoder& out, const Tables& tables) {
  out.varint(tables.transactions.size());
  for (const TransactionId& id : tables.transactions) encode(out, id);
  out.varint(tables.chunks.size());
  for (const Tables::Chunk& chunk : tables.chunks) {
    out.varint(chunk.transaction);
    out.varint(chunk.address.pack.pack);
    out.varint(chunk.address.slot);
    const bool named = chunk.id != ShortId{};
    out.u8(named ? 1 : 0);
    if (named) out.raw(chunk.id);
  }
  out.varint(tables.attributes.size());
  for (const Attributes* attributes : tables.attributes) encode(out, *attributes);
}

// Where the extent before ended: what content "0" goes on from.
struct Cursor {
  bool valid = false;
  Address chunk;
  std::uint64_t end = 0;
};

void encode_content(Encoder& out, const Entry& entry, Tables& tables, Cursor& cursor) {
  if (entry.attributes.type != FileType::regular || entry.size_bytes == 0) return;
  const auto& content = entry.content;
  const bool goes_on = content.size() == 1 && !content[0].hole && cursor.valid &&
                       content[0].chunk == cursor.chunk && content[0].offset == cursor.end;
  if (goes_on) {
    out.varint(0);
  } else {
    out.varint(1 + content.size());
    for (const Extent& extent : content) {
      if (extent.hole) {
        out.varint(0);
      } else {
        out.varint(1 + tables.chunk(extent));
        out.varint(extent.offset);
      }
      out.varint(extent.length);
    }
  }
  if (!content.empty() && !content.back().hole) {
    cursor = {true, content.back().chunk, content.back().offset + content.back().length};
  }
}

template <typename Has, typename Put>
void encode_sparse(Encoder& out, const std::vector<Entry>& entries, Has has, Put put) {
  out.varint(static_cast<std::uint64_t>(std::count_if(entries.begin(), entries.end(), has)));
  std::size_t next = 0;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (!has(entries[i])) continue;
    out.varint(i - next);
    put(entries[i]);
    next = i + 1;
  }
}

void encode_times(Encoder& out, const std::vector<Entry>& entries) {
  std::int64_t before = 0;
  for (const Entry& entry : entries) {
    // Modulo 2^64, as the decoder adds: the distance of two times may be more than 63 bits.
    out.svarint(static_cast<std::int64_t>(static_cast<std::uint64_t>(entry.mtime.seconds) -
                                          static_cast<std::uint64_t>(before)));
    before = entry.mtime.seconds;
  }
  Time last;
  for (const Entry& entry : entries) {
    const auto ns = static_cast<std::int64_t>(entry.mtime.nanoseconds);
    out.svarint(entry.mtime.seconds == last.seconds ? ns - static_cast<std::int64_t>(last.nanoseconds) : ns);
    last = entry.mtime;
  }
}

bool is_device(const Entry& entry) {
  return entry.attributes.type == FileType::char_device || entry.attributes.type == FileType::block_device;
}

void encode_rest(Encoder& out, const std::vector<Entry>& entries) {
  encode_times(out, entries);
  for (const Entry& entry : entries) {
    if (entry.attributes.type == FileType::regular) out.varint(entry.size_bytes);
  }
  encode_sparse(
      out, entries, [](const Entry& e) { return e.link_group != 0; },
      [&](const Entry& e) { out.varint(e.link_group); });
  encode_sparse(
      out, entries, [](const Entry& e) { return e.changed_while_read; }, [&](const Entry&) { out.u8(1); });
  for (const Entry& entry : entries) {
    if (entry.attributes.type == FileType::symlink) out.string(entry.target);
  }
  for (const Entry& entry : entries) {
    if (is_device(entry)) out.varint(entry.device);
  }
}

}  // namespace

void encode_block(Encoder& out, const std::vector<Entry>& entries) {
  Tables tables;
  Encoder columns;
  std::string_view before;
  for (const Entry& entry : entries) {
    const auto limit = static_cast<std::ptrdiff_t>(std::min(before.size(), entry.path.size()));
    const auto shared =
        std::mismatch(before.begin(), before.begin() + limit, entry.path.begin()).first - before.begin();
    columns.varint(static_cast<std::uint64_t>(shared));
    columns.string(std::string_view(entry.path).substr(static_cast<std::size_t>(shared)));
    before = entry.path;
  }
  std::uint32_t attribute = 0;
  for (const Entry& entry : entries) {
    attribute = tables.attribute(entry.attributes, attribute);
    columns.varint(attribute);
  }
  encode_rest(columns, entries);
  Cursor cursor;
  for (const Entry& entry : entries) encode_content(columns, entry, tables, cursor);

  out.varint(entries.size());
  encode(out, tables);
  out.raw(columns.bytes());
}

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
  const std::uint8_t type = in.u8();
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

template <typename Put>
void decode_sparse(Decoder& in, std::vector<Entry>& entries, Put put) {
  const std::uint64_t n = in.count(2);
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
  return in.finish("a tree leaf");
}

}  // namespace holdfast::model
