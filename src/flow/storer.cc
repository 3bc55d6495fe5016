#include "flow/storer.h"

#include "base/codec.h"
#include "crypto/hash.h"
#include "flow/page_range.h"
#include "repo/pack_reader.h"

namespace holdfast::flow {

bool all_zero(Bytes data) {
  return data.empty() || (data[0] == 0 && std::memcmp(data.data(), data.data() + 1, data.size() - 1) == 0);
}

void append_extent(std::vector<model::Extent>& content, const model::Extent& extent) {
  if (extent.length == 0) return;
  if (!content.empty()) {
    model::Extent& last = content.back();
    const bool holes = last.hole && extent.hole;
    const bool goes_on = !last.hole && !extent.hole && last.chunk == extent.chunk &&
                         last.offset + last.length == extent.offset;
    if (holes || goes_on) {
      last.length += extent.length;
      return;
    }
  }
  content.push_back(extent);
}

model::Extent hole(std::uint64_t length) {
  model::Extent extent;
  extent.hole = true;
  extent.length = length;
  return extent;
}

namespace {

// zstd levels of Mode::automatic (docs/performance.md). Small files are mostly text, where a little more
// effort pays.
constexpr int kBundleLevel = 3;
constexpr int kDataLevel = 3;

model::ShortId member_id(const repo::DomainKeys& keys, Bytes content) {
  return model::short_id(crypto::keyed_hash(keys.member_id(), content));
}

}  // namespace

Storer::Storer(const StoreContext& context)
    : context_(context),
      keys_(context.transaction.keys()),
      limits_(context.transaction.repository().config().chunks),
      chunks_(context.transaction, false),
      cutter_(context.pieces.key()) {}

Result<void> Storer::finish(std::stop_token stop) {
  TRY(chunks_.finish(stop));
  context_.pieces.close(pack_);
  return {};
}

Result<void> Storer::run(Job& job, std::stop_token stop) {
  return job.range ? store_range(*job.range, stop) : store_bundle(job.members, stop);
}

int Storer::level(model::ChunkType type) const {
  if (context_.compression.mode == Compression::Mode::level) return context_.compression.zstd_level;
  return type == model::ChunkType::bundle ? kBundleLevel : kDataLevel;
}

Result<Storer::Stored> Storer::store_new(model::ChunkType type, const repo::ChunkName& name, Bytes plain,
                                         std::stop_token stop) {
  const bool try_it =
      context_.compression.mode != Compression::Mode::off && !compress::looks_incompressible(plain);
  const repo::NewChunk chunk =
      TRY(maker_.make(type, name, plain, try_it ? std::optional(level(type)) : std::nullopt));
  const bool pays = chunk.codec == repo::Codec::zstd;
  ++context_.counters.chunks;
  context_.counters.plain_bytes += plain.size();
  context_.counters.stored_bytes += chunk.stored.size();
  if (context_.dry_run) return Stored{{}, pays};
  const model::Address address = TRY(chunks_.put(chunk, stop));
  return Stored{address, pays};
}

// Of files that lie end to end in a chunk that was just stored.
void Storer::remember_pieces(const model::Address& chunk, const std::vector<Bytes>& files) {
  if (context_.dry_run) return;
  if (chunk.pack != pack_) context_.pieces.close(std::exchange(pack_, chunk.pack));
  std::vector<Piece> pieces;
  bool any = false;
  for (const Bytes& file : files) {
    if (file.size() < kPiecedBytesMin) {
      pieces.push_back({static_cast<std::uint32_t>(file.size()), {}});
    } else {
      any = true;
      cutter_.cut(file, pieces);
    }
  }
  if (any) context_.pieces.add(chunk, pieces);
}

Storer::Data Storer::look_up(Bytes data) {
  if (all_zero(data)) return {{}, hole(data.size())};
  Data out{repo::name_chunk(keys_.chunk_id(), model::ChunkType::data, data), std::nullopt};
  const model::ShortId id = model::short_id(out.name.id);
  const auto known = context_.known.find(id);
  if (known && known->length == data.size()) {
    out.known = model::Extent{known->chunk, id, 0, data.size(), false};
  }
  return out;
}

Result<model::Extent> Storer::store_unknown(const repo::ChunkName& name, Bytes data, Remember remember,
                                            std::stop_token stop) {
  const Stored stored = TRY(store_new(model::ChunkType::data, name, data, stop));
  const model::Extent extent{stored.address, model::short_id(name.id), 0, data.size(), false};
  if (context_.dry_run) return extent;
  context_.known.remember(extent.id, {extent.chunk, 0, static_cast<std::uint32_t>(data.size())});
  if (stored.compressed && remember == Remember::pieces) remember_pieces(extent.chunk, {data});
  return extent;
}

Result<model::Extent> Storer::store_data(Bytes data, Remember remember, std::stop_token stop) {
  const Data found = look_up(data);
  if (found.known) return *found.known;
  return store_unknown(found.name, data, remember, stop);
}

// Appends the file's bytes to the bundle in the making.
void Storer::read_member(Member& member) {
  FileResult& result = member.result;
  auto content = context_.source.open(member.item);
  if (!content.ok()) {
    result.error = std::move(content).error();
    return;
  }
  auto completed = content.value()->complete(member.item.entry.attributes);
  if (!completed.ok()) result.incomplete = std::move(completed).error();
  const std::size_t at = bundle_.size();
  const std::uint64_t size = member.item.entry.size_bytes;
  bundle_.resize(at + size);
  const auto got = content.value()->read(0, MutableBytes(bundle_).subspan(at));
  const auto same = got.ok() ? content.value()->unchanged_since(member.item) : Result<bool>(false);
  if (!got.ok() || !same.ok()) {
    result.error = got.ok() ? same.error().copy() : got.error().copy();
    bundle_.resize(at);
    return;
  }
  result.size_bytes = got.value();
  result.changed = !same.value() || got.value() != size;
  bundle_.resize(at + got.value());
  context_.counters.bytes_read += got.value();
}

// As parts of the old content and parts that are new; nothing where it is not worth it.
std::vector<Part> Storer::divide(OldPieces& old, Bytes bytes) {
  if (old.empty() || bytes.size() < kPiecedBytesMin) return {};
  std::vector<Piece> pieces;
  cutter_.cut(bytes, pieces);
  std::vector<Part> parts = old.divide(pieces);
  return worth_dividing(parts) ? parts : std::vector<Part>{};
}

// The member was read to the end of the bundle: finds what of it the repository has; the rest stays there.
void Storer::take_in(Member& member, std::vector<Inside>& inside) {
  const std::size_t begin = inside.empty() ? 0 : inside.back().offset + inside.back().length;
  std::vector<model::Extent>& content = member.result.content;
  const Bytes bytes = Bytes(bundle_).subspan(begin);
  const auto find = [&](const model::ShortId& id, std::size_t length) -> std::optional<model::Extent> {
    const auto known = member.fresh ? std::nullopt : context_.known.find(id);
    if (!known || known->length != length) return std::nullopt;
    return model::Extent{known->chunk, {}, known->offset, known->length, false};
  };
  model::ShortId id = member_id(keys_, bytes);
  if (all_zero(bytes)) content.push_back(hole(bytes.size()));
  if (content.empty()) {
    if (const auto known = find(id, bytes.size())) content.push_back(*known);
  }
  if (!content.empty()) return bundle_.resize(begin);

  OldPieces old;
  if (bytes.size() >= kPiecedBytesMin) {
    for (const model::Extent& extent : member.before) old.add(extent, context_.pieces.find(extent.chunk));
  }
  std::vector<Part> parts = divide(old, bytes);
  const bool whole = parts.empty();
  if (whole) parts.push_back({0, bytes.size(), false, {}});
  // What is new moves together at the front.
  Inside mine{&member, id, {}, static_cast<std::uint32_t>(begin), 0};
  for (const Part& part : parts) {
    if (part.known) {
      content.push_back(part.where);
      continue;
    }
    std::copy_n(bundle_.begin() + static_cast<std::ptrdiff_t>(begin + part.begin), part.length,
                bundle_.begin() + static_cast<std::ptrdiff_t>(begin + mine.length));
    mine.extents.push_back(content.size());
    content.push_back({{}, {}, mine.length, part.length, false});
    mine.length += static_cast<std::uint32_t>(part.length);
  }
  bundle_.resize(begin + mine.length);
  if (mine.length == 0) return;
  if (!whole) {
    // Another name or a copy of this file, changed in the same way?
    mine.id = member_id(keys_, Bytes(bundle_).subspan(begin));
    if (const auto known = find(mine.id, mine.length)) {
      for (const std::size_t i : mine.extents) {
        content[i].chunk = known->chunk;
        content[i].offset += known->offset;
      }
      return bundle_.resize(begin);
    }
  }
  for (const std::size_t i : mine.extents) content[i].offset += begin;
  inside.push_back(std::move(mine));
}

Result<void> Storer::store_bundle(std::vector<Member>& members, std::stop_token stop) {
  bundle_.clear();
  std::vector<Inside> inside;
  for (Member& member : members) {
    if (halted(stop)) return Error(Errc::stopped, "stopped");
    read_member(member);
    if (!member.result.error && member.result.size_bytes > 0) take_in(member, inside);
  }
  if (inside.empty()) return {};
  Encoder table;
  for (const Inside& mine : inside) {
    table.raw(mine.id);
    table.u32(mine.length);
  }
  table.u32(static_cast<std::uint32_t>(inside.size()));
  append(bundle_, table.bytes());
  const repo::ChunkName name = repo::name_chunk(keys_.chunk_id(), model::ChunkType::bundle, bundle_);
  const model::ShortId id = model::short_id(name.id);
  const auto known = context_.known.find(id);
  Stored stored;
  if (known) {
    stored.address = known->chunk;
  } else {
    stored = TRY(store_new(model::ChunkType::bundle, name, bundle_, stop));
  }
  std::vector<Bytes> files;
  for (const Inside& mine : inside) {
    for (const std::size_t i : mine.extents) mine.member->result.content[i].chunk = stored.address;
    files.push_back(Bytes(bundle_).subspan(mine.offset, mine.length));
    if (!context_.dry_run) context_.known.remember(mine.id, {stored.address, mine.offset, mine.length});
  }
  if (known || context_.dry_run) return {};
  context_.known.remember(id, {stored.address, 0, static_cast<std::uint32_t>(bundle_.size())});
  if (stored.compressed) remember_pieces(stored.address, files);
  return {};
}

Result<void> Storer::store_range(Range& range, std::stop_token stop) {
  auto content = context_.source.open(range.item);
  if (!content.ok()) {
    range.result.error = std::move(content).error();
    return {};
  }
  if (range.from == 0) {
    auto completed = content.value()->complete(range.item.entry.attributes);
    if (!completed.ok()) range.result.incomplete = std::move(completed).error();
  }
  TRY(range.paged ? store_by_pages(range, *content.value(), stop)
                  : store_by_content(range, *content.value(), stop));
  range.before = {};
  range.pages.before = {};
  if (range.result.error) return {};
  const auto same = content.value()->unchanged_since(range.item);
  if (!same.ok()) {
    range.result.error = same.error().copy();
  } else if (!same.value()) {
    range.result.changed = true;
  }
  context_.counters.bytes_read += range.result.size_bytes;
  return {};
}

}  // namespace holdfast::flow
