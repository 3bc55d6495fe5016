#include "flow/copy_chunks.h"

#include "base/codec.h"
#include "crypto/hash.h"
#include "parity/checksum.h"
#include "repo/pack_reader.h"

namespace holdfast::flow {

namespace {

constexpr std::size_t kMemberBytes = 16 + 4;
constexpr int kLevel = 3;  // zstd

// Where a bundle's member table begins; nothing where it can't be.
std::optional<std::size_t> table_of(Bytes bundle) {
  if (bundle.size() < 4) return std::nullopt;
  Decoder in(bundle.last(4));
  const std::uint64_t table = std::uint64_t{in.u32()} * kMemberBytes + 4;
  return table > bundle.size() ? std::nullopt : std::optional(bundle.size() - table);
}

// The table again, with the ids that members have under `key`. Contents stay where they are.
Result<void> identify_members(Buffer& bundle, const crypto::Key& key) {
  const auto table = table_of(bundle);
  if (!table) return Error(Errc::damaged, "a bundle's member table is damaged");
  std::size_t at = 0;
  for (std::size_t row = *table; row + 4 < bundle.size(); row += kMemberBytes) {
    Decoder in(Bytes(bundle).subspan(row + 16, 4));
    const std::uint32_t length = in.u32();
    if (length > *table - at) return Error(Errc::damaged, "a bundle's member table is damaged");
    const auto id = model::short_id(crypto::keyed_hash(key, Bytes(bundle).subspan(at, length)));
    std::copy(id.begin(), id.end(), bundle.begin() + static_cast<std::ptrdiff_t>(row));
    at += length;
  }
  return {};
}

}  // namespace

ChunkCopier::ChunkCopier(const repo::Repository& from, const repo::LogState& log)
    : from_(from), reader_(from, log) {}

void ChunkCopier::begin(repo::Transaction& transaction, repo::ChunkWriter& chunks, Deduplicator& known) {
  transaction_ = &transaction;
  chunks_ = &chunks;
  known_ = &known;
  count_ = plain_bytes_ = stored_bytes_ = 0;
}

Result<ChunkCopier::Copied> ChunkCopier::copy(const model::Address& address, std::stop_token stop) {
  const auto before = copied_.find(address);
  // What an earlier transaction of this run stored may be condemned by now (decision 2, W3).
  if (before != copied_.end() && transaction_->log().usable(before->second.address)) return before->second;
  const Copied copied = TRY(bring(address, stop));
  copied_.insert_or_assign(address, copied);
  return copied;
}

bool same_ids(const repo::DomainKeys& a, const repo::DomainKeys& b) {
  return crypto::equal(a.content().bytes(), b.content().bytes());
}

Result<ChunkCopier::Copied> ChunkCopier::bring(const model::Address& address, std::stop_token stop) {
  const repo::DirectoryEntry entry = TRY(reader_.describe(address, stop));
  const auto find = [&](const model::ChunkId& id) -> std::optional<Copied> {
    const auto place = known_->find(model::short_id(id));
    if (!place || place->offset != 0 || place->length != entry.plain_bytes) return std::nullopt;
    return Copied{place->chunk, model::short_id(id)};
  };
  const repo::SharedDomainKeys theirs = TRY(from_.keys_of(address.pack.transaction, stop));
  const repo::DomainKeys& mine = transaction_->keys();
  if (same_ids(*theirs, mine)) {
    if (const auto there = find(entry.id)) return *there;
    TRY(load(address, entry, *theirs, stop));
    return put(entry.id, entry, stop);
  }
  TRY(load(address, entry, *theirs, stop));
  if (entry.type == model::ChunkType::bundle) {
    TRY(identify_members(plain_, mine.member_id()));
  }
  const repo::ChunkName name = repo::name_chunk(mine.chunk_id(), entry.type, plain_);
  if (const auto there = find(name.id)) return *there;
  if (entry.type == model::ChunkType::bundle) {
    const repo::NewChunk made = TRY(maker_.make(entry.type, name, plain_, kLevel));
    codec_ = made.codec;
    stored_sum_ = made.sum;
    stored_.assign(made.stored.begin(), made.stored.end());
  }
  return put(name.id, entry, stop);
}

// The chunk as it is stored, and its plain text, which is compared with its id so that damage is not copied.
Result<void> ChunkCopier::load(const model::Address& address, const repo::DirectoryEntry& entry,
                               const repo::DomainKeys& theirs, std::stop_token stop) {
  stored_ = TRY(reader_.read_stored(address, stop));
  stored_sum_ = parity::checksum(stored_);
  codec_ = entry.codec;
  if (codec_ == repo::Codec::raw) {
    plain_ = stored_;
  } else {
    plain_.resize(entry.plain_bytes);
    TRY(decompressor_.decompress(stored_, plain_));
  }
  if (repo::chunk_id(theirs.chunk_id(), entry.type, plain_) == entry.id) return {};
  return Error(Errc::damaged,
               "a chunk does not have the content that it should: " + repo::pack_name(address.pack, 0))
      .hint("run `holdfast check --read-data` on the repository that is copied from");
}

Result<ChunkCopier::Copied> ChunkCopier::put(const model::ChunkId& id, const repo::DirectoryEntry& entry,
                                             std::stop_token stop) {
  const auto plain_bytes = static_cast<std::uint32_t>(plain_.size());
  const model::Address address =
      TRY(chunks_->put({id, entry.type, codec_, plain_bytes, stored_, stored_sum_}, stop));
  const Copied copied{address, model::short_id(id)};
  ++count_;
  plain_bytes_ += plain_bytes;
  stored_bytes_ += stored_.size();
  known_->remember(copied.id, {copied.address, 0, plain_bytes});
  if (entry.type == model::ChunkType::bundle) remember_members(copied.address);
  return copied;
}

// So that backups to the destination find small files too.
void ChunkCopier::remember_members(const model::Address& address) {
  const auto table = table_of(plain_);
  if (!table) return;
  std::uint32_t at = 0;
  for (std::size_t row = *table; row + 4 < plain_.size(); row += kMemberBytes) {
    Decoder in(Bytes(plain_).subspan(row, kMemberBytes));
    const auto id = in.array<16>();
    const std::uint32_t length = in.u32();
    if (length > *table - at) return;  // the table lies
    known_->remember(id, {address, at, length});
    at += length;
  }
}

}  // namespace holdfast::flow
