// From entries to columns. docs/format/tree.md, "Leaf".
#include "model/block.h"

#include "model/block_tables.h"

namespace holdfast::model {

namespace {

void encode(Encoder& out, const Attributes& a) {
  out.u8(static_cast<std::uint8_t>(static_cast<unsigned>(a.type) | (a.flags != 0 ? kHasFlags : 0u) |
                                   (a.project != 0 ? kHasProject : 0u)));
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
  if (a.flags != 0) out.varint(a.flags);
  if (a.project != 0) out.varint(a.project);
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

// Modulo 2^64, as the decoder adds: the distance of two times may be more than 63 bits.
std::int64_t distance(std::int64_t from, std::int64_t to) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(to) - static_cast<std::uint64_t>(from));
}

void encode_times(Encoder& out, const std::vector<Entry>& entries) {
  std::int64_t before = 0;
  for (const Entry& entry : entries) {
    out.svarint(distance(before, entry.mtime.seconds));
    before = entry.mtime.seconds;
  }
  Time last;
  for (const Entry& entry : entries) {
    const auto ns = static_cast<std::int64_t>(entry.mtime.nanoseconds);
    out.svarint(entry.mtime.seconds == last.seconds ? ns - static_cast<std::int64_t>(last.nanoseconds) : ns);
    last = entry.mtime;
  }
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

// Most objects were made about when they were last written.
void encode_births(Encoder& out, const std::vector<Entry>& entries) {
  const auto has = [](const Entry& e) { return e.birth.has_value(); };
  if (std::none_of(entries.begin(), entries.end(), has)) return;
  encode_sparse(out, entries, has, [](const Entry&) {});
  for (const Entry& e : entries) {
    if (e.birth) out.svarint(distance(e.mtime.seconds, e.birth->seconds));
  }
  for (const Entry& e : entries) {
    if (!e.birth) continue;
    const bool near = e.birth->seconds == e.mtime.seconds;
    out.svarint(std::int64_t{e.birth->nanoseconds} - (near ? std::int64_t{e.mtime.nanoseconds} : 0));
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
  encode_births(columns, entries);

  out.varint(entries.size());
  encode(out, tables);
  out.raw(columns.bytes());
}

}  // namespace holdfast::model
