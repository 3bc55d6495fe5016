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

namespace {

// zstd levels of Mode::automatic (docs/performance.md). Small files are mostly text, where a little more
// effort pays.
constexpr int kBundleLevel = 4;
constexpr int kDataLevel = 3;

model::Extent hole(std::uint64_t length) {
  model::Extent extent;
  extent.hole = true;
  extent.length = length;
  return extent;
}

model::ShortId member_id(const repo::Repository& repository, Bytes content) {
  return model::short_id(crypto::keyed_hash(repository.member_id_key(), content));
}

}  // namespace

Storer::Storer(const StoreContext& context)
    : context_(context),
      repository_(context.transaction.repository()),
      limits_(repository_.config().chunks),
      chunks_(context.transaction, false) {}

Result<void> Storer::finish(std::stop_token stop) { return chunks_.finish(stop); }

Result<void> Storer::run(Job& job, std::stop_token stop) {
  return job.range ? store_range(*job.range, stop) : store_bundle(job.members, stop);
}

int Storer::level(model::ChunkType type) const {
  if (context_.compression.mode == Compression::Mode::level) return context_.compression.zstd_level;
  return type == model::ChunkType::bundle ? kBundleLevel : kDataLevel;
}

Result<model::Address> Storer::store_new(model::ChunkType type, const model::ChunkId& id, Bytes plain,
                                         std::stop_token stop) {
  const bool try_it =
      context_.compression.mode != Compression::Mode::off && !compress::looks_incompressible(plain);
  const bool pays = try_it && compressor_.compress(plain, level(type), compressed_);
  const Bytes stored = pays ? Bytes(compressed_) : plain;
  ++context_.counters.chunks;
  context_.counters.plain_bytes += plain.size();
  context_.counters.stored_bytes += stored.size();
  if (context_.dry_run) return model::Address{};
  return chunks_.put({id, type, pays ? repo::Codec::zstd : repo::Codec::raw,
                      static_cast<std::uint32_t>(plain.size()), stored},
                     stop);
}

Result<model::Extent> Storer::store_data(Bytes data, std::stop_token stop) {
  if (all_zero(data)) return hole(data.size());
  const model::ChunkId id = repo::chunk_id(repository_.chunk_id_key(), model::ChunkType::data, data);
  model::Extent extent;
  extent.id = model::short_id(id);
  extent.length = data.size();
  if (const auto known = context_.known.find(extent.id); known && known->length == data.size()) {
    extent.chunk = known->chunk;
    return extent;
  }
  extent.chunk = TRY(store_new(model::ChunkType::data, id, data, stop));
  if (!context_.dry_run) {
    context_.known.remember(extent.id, {extent.chunk, 0, static_cast<std::uint32_t>(data.size())});
  }
  return extent;
}

// Appends the file's bytes to the bundle in the making.
void Storer::read_member(Member& member) {
  FileResult& result = member.result;
  auto content = context_.source.open(member.item);
  if (!content.ok()) {
    result.error = std::move(content).error();
    return;
  }
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

Result<void> Storer::store_bundle(std::vector<Member>& members, std::stop_token stop) {
  bundle_.clear();
  Encoder table;
  std::uint32_t count = 0;
  std::uint32_t kept = 0;  // bytes of the bundle that are not known already
  std::vector<std::pair<Member*, model::ShortId>> inside;
  for (Member& member : members) {
    if (halted(stop)) return Error(Errc::stopped, "stopped");
    read_member(member);
    FileResult& result = member.result;
    if (result.error || result.size_bytes == 0) continue;
    const Bytes bytes = Bytes(bundle_).subspan(kept);
    if (all_zero(bytes)) {
      result.content.push_back(hole(bytes.size()));
      bundle_.resize(kept);
      continue;
    }
    const model::ShortId id = member_id(repository_, bytes);
    const auto known = member.fresh ? std::nullopt : context_.known.find(id);
    if (known && known->length == bytes.size()) {
      result.content.push_back({known->chunk, {}, known->offset, known->length, false});
      bundle_.resize(kept);
      continue;
    }
    result.content.push_back({{}, {}, kept, bytes.size(), false});
    inside.emplace_back(&member, id);
    table.raw(id);
    table.u32(static_cast<std::uint32_t>(bytes.size()));
    kept = static_cast<std::uint32_t>(bundle_.size());
    ++count;
  }
  if (count == 0) return {};
  table.u32(count);
  append(bundle_, table.bytes());
  const model::ChunkId id = repo::chunk_id(repository_.chunk_id_key(), model::ChunkType::bundle, bundle_);
  const auto known = context_.known.find(model::short_id(id));
  model::Address address;
  if (known) {
    address = known->chunk;
  } else {
    address = TRY(store_new(model::ChunkType::bundle, id, bundle_, stop));
  }
  for (const auto& [member, member_key] : inside) {
    model::Extent& extent = member->result.content.front();
    extent.chunk = address;
    if (context_.dry_run) continue;
    context_.known.remember(member_key, {address, static_cast<std::uint32_t>(extent.offset),
                                         static_cast<std::uint32_t>(extent.length)});
  }
  if (!known && !context_.dry_run) {
    context_.known.remember(model::short_id(id), {address, 0, static_cast<std::uint32_t>(bundle_.size())});
  }
  return {};
}

Result<void> Storer::store_range(Range& range, std::stop_token stop) {
  auto content = context_.source.open(range.item);
  if (!content.ok()) {
    range.result.error = std::move(content).error();
    return {};
  }
  TRY(range.paged ? store_by_pages(range, *content.value(), stop)
                  : store_by_content(range, *content.value(), stop));
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

Result<void> Storer::store_by_content(Range& range, source::Content& content, std::stop_token stop) {
  const auto runs = content.data_runs(range.from, range.to);
  if (!runs.ok()) {
    range.result.error = runs.error().copy();
    return {};
  }
  std::uint64_t at = range.from;
  for (const auto& [from, to] : runs.value()) {
    append_extent(range.result.content, hole(from - at));
    range.result.size_bytes += from - at;
    TRY(cut_run(range, content, from, to, stop));
    at = to;
    if (range.result.error || range.result.changed) return {};
  }
  append_extent(range.result.content, hole(range.to - at));
  range.result.size_bytes += range.to - at;
  return {};
}

// Cuts [from, to) by content.
Result<void> Storer::cut_run(Range& range, source::Content& content, std::uint64_t from, std::uint64_t to,
                             std::stop_token stop) {
  window_.resize(2 * std::size_t{limits_.size_max});
  std::size_t begin = 0, end = 0;  // of what is in the window
  std::uint64_t at = from;         // read so far
  while (at < to || begin < end) {
    if (halted(stop)) return Error(Errc::stopped, "stopped");
    if (end - begin < limits_.size_max && at < to) {
      std::copy(window_.begin() + static_cast<std::ptrdiff_t>(begin),
                window_.begin() + static_cast<std::ptrdiff_t>(end), window_.begin());
      end -= begin;
      begin = 0;
      const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(window_.size() - end, to - at));
      const auto got = content.read(at, MutableBytes(window_).subspan(end, want));
      if (!got.ok()) {
        range.result.error = got.error().copy();
        return {};
      }
      end += got.value();
      at += got.value();
      if (got.value() < want) {  // the end of a stream; or the file became shorter
        range.result.changed = !range.item.stream;
        to = at;
      }
    }
    const Bytes bytes = Bytes(window_).subspan(begin, end - begin);
    const std::size_t length = bytes.empty() ? 0 : chunk::cut(context_.gear, limits_, bytes, at >= to);
    if (length == 0) continue;
    const model::Extent stored = TRY(store_data(bytes.first(length), stop));
    append_extent(range.result.content, stored);
    range.result.size_bytes += length;
    begin += length;
  }
  return {};
}

}  // namespace holdfast::flow
