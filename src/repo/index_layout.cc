#include "repo/index_layout.h"

#include <unistd.h>

#include <cerrno>

#include "crypto/hash.h"

namespace holdfast::repo {

namespace {

constexpr std::string_view kMagic = "hfindex0";

}  // namespace

std::uint64_t SegmentTables::home_page(const KeyHalves& key) const {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>((static_cast<Wide>(key.high) * home_pages) >> 64);
}

Buffer encode_segment_header(const SegmentHeader& header) {
  Encoder out;
  out.raw(as_bytes(kMagic));
  out.raw(header.salt);
  out.u64(header.tables_at);
  out.u64(header.tables_bytes);
  return out.take();
}

Result<SegmentHeader> decode_segment_header(Bytes bytes) {
  Decoder in(bytes);
  if (as_text(in.raw(kMagic.size())) != kMagic) in.fail();
  SegmentHeader header;
  header.salt = in.array<kSegmentSaltBytes>();
  header.tables_at = in.u64();
  header.tables_bytes = in.u64();
  TRY(in.finish("index segment header"));
  return header;
}

void encode_transactions(Encoder& out, const std::vector<model::TransactionId>& transactions) {
  out.varint(transactions.size());
  model::TransactionId last;
  for (const model::TransactionId& id : transactions) {
    out.svarint(static_cast<std::int64_t>(id.writer - last.writer));
    out.svarint(std::int64_t{id.sequence} - std::int64_t{last.sequence});
    last = id;
  }
}

std::vector<model::TransactionId> decode_transactions(Decoder& in) {
  std::vector<model::TransactionId> transactions(in.count(2));
  model::TransactionId last;
  for (model::TransactionId& id : transactions) {
    id.writer = last.writer + static_cast<std::uint64_t>(in.svarint());
    id.sequence = last.sequence + static_cast<std::uint32_t>(in.svarint());
    last = id;
  }
  return transactions;
}

Buffer encode_tables(const SegmentTables& tables) {
  Encoder out;
  out.varint(tables.records);
  out.varint(tables.home_pages);
  out.varint(tables.pages);
  out.varint(tables.pages_at);
  out.varint(tables.filter_slot_bytes);
  out.raw(tables.widths.bytes);
  out.varint(tables.partitions.size());
  for (const SegmentPartition& partition : tables.partitions) {
    out.u64(partition.first.high);
    out.u64(partition.first.low);
    out.u64(partition.shape.seed);
    out.varint(partition.shape.segment_bits);
    out.varint(partition.shape.segment_count);
  }
  encode_transactions(out, tables.transactions);
  encode_transactions(out, tables.covered);
  return out.take();
}

Result<SegmentTables> decode_tables(Bytes bytes) {
  Decoder in(bytes);
  SegmentTables tables;
  tables.records = in.varint();
  tables.home_pages = in.varint();
  tables.pages = in.varint();
  tables.pages_at = in.varint();
  tables.filter_slot_bytes = in.varint();
  tables.widths.bytes = in.array<IndexEntry::kValues>();
  tables.partitions.resize(in.count(26));
  for (SegmentPartition& partition : tables.partitions) {
    partition.first.high = in.u64();
    partition.first.low = in.u64();
    partition.shape.seed = in.u64();
    partition.shape.segment_bits = static_cast<std::uint32_t>(in.varint());
    partition.shape.segment_count = static_cast<std::uint32_t>(in.varint());
  }
  tables.transactions = decode_transactions(in);
  tables.covered = decode_transactions(in);
  TRY(in.finish("index segment tables"));
  return tables;
}

crypto::Nonce segment_nonce(SegmentPart part, std::uint64_t number) {
  Encoder out;
  out.u32(static_cast<std::uint32_t>(part));
  out.u64(number);
  crypto::Nonce nonce;
  std::memcpy(nonce.data(), out.bytes().data(), nonce.size());
  return nonce;
}

crypto::Key segment_key(const crypto::Key& cache_key, const SegmentSalt& salt) {
  return crypto::derive_key("holdfast 0 index segment", {cache_key.bytes(), salt});
}

std::uint64_t filter_key(const KeyHalves& key) { return key.low + key.high * 0x9e3779b97f4a7c15ULL; }

Result<void> read_at(int fd, std::uint64_t offset, MutableBytes out) {
  while (!out.empty()) {
    const ssize_t got = ::pread(fd, out.data(), out.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error(errno, "read index");
    if (got == 0) return Error(Errc::damaged, "index file is short");
    offset += static_cast<std::uint64_t>(got);
    out = out.subspan(static_cast<std::size_t>(got));
  }
  return {};
}

Result<void> write_at(int fd, std::uint64_t offset, Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return errno_error(errno, "write index");
    offset += static_cast<std::uint64_t>(put);
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
  return {};
}

}  // namespace holdfast::repo
