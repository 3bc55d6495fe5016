#include "repo/index_writer.h"

#include <algorithm>

namespace holdfast::repo {

namespace {

constexpr std::size_t kBufferedPages = 64;

std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) { return (value + unit - 1) / unit * unit; }

}  // namespace

SegmentWriter::SegmentWriter(int file, const SegmentSalt& salt, const crypto::Key& cache_key,
                             const Plan& plan)
    : file_(file), salt_(salt), aead_(segment_key(cache_key, salt)), filter_(plan.filter) {
  // Four fifths full, one page in some hundreds spills (Poisson), nearly always to the next one only.
  const std::uint64_t per_page = std::max<std::uint64_t>(plan.widths.page_entries() * 4 / 5, 1);
  tables_.home_pages = std::max<std::uint64_t>((plan.records_max + per_page - 1) / per_page, 1);
  tables_.widths = plan.widths;
  tables_.pages_at = kPageBytes;
  if (filter_) {
    const auto keys = std::min<std::uint64_t>(plan.records_max, kPartitionKeys);
    const std::uint64_t partitions = (plan.records_max + kPartitionKeys - 1) / kPartitionKeys;
    tables_.filter_slot_bytes = BinaryFuse8::bytes_max(keys) + crypto::kTagBytes;
    tables_.pages_at += round_up(partitions * tables_.filter_slot_bytes, kPageBytes);
  }
  page_.reserve(plan.widths.page_entries());
}

Result<void> SegmentWriter::add(const IndexEntry& entry) {
  const std::uint64_t home = tables_.home_page(entry.key);
  while (tables_.pages < home) TRY(end_page(false));
  if (page_.size() == tables_.widths.page_entries()) TRY(end_page(true));
  page_.push_back(entry);
  ++tables_.records;
  if (!filter_) return {};
  if (partition_.size() == kPartitionKeys) TRY(end_partition());
  if (partition_.empty()) tables_.partitions.push_back({entry.key, {}});
  partition_.push_back(filter_key(entry.key));
  return {};
}

Result<void> SegmentWriter::end_page(bool spills) {
  const std::size_t at = pages_.size();
  pages_.resize(at + kPageBytes);
  const MutableBytes sealed = MutableBytes(pages_).subspan(at, kPageBytes);
  encode_page(tables_.widths, page_, spills, sealed.first(kPagePlainBytes));
  aead_.seal(segment_nonce(SegmentPart::page, tables_.pages), {}, sealed.first(kPagePlainBytes), sealed);
  page_.clear();
  ++tables_.pages;
  if (pages_.size() == kBufferedPages * kPageBytes) TRY(flush_pages());
  return {};
}

Result<void> SegmentWriter::flush_pages() {
  const std::uint64_t first = tables_.pages - pages_.size() / kPageBytes;
  TRY(write_at(file_, tables_.pages_at + first * kPageBytes, pages_));
  pages_.clear();
  return {};
}

Result<void> SegmentWriter::end_partition() {
  std::vector<std::uint64_t> keys;
  keys.swap(partition_);
  partition_.reserve(keys.size());
  const auto filter = BinaryFuse8::build(std::move(keys));
  if (!filter) return Error(Errc::failed, "no filter fits the index keys");
  const std::uint64_t number = tables_.partitions.size() - 1;
  tables_.partitions.back().shape = filter->shape();
  return seal_at(kPageBytes + number * tables_.filter_slot_bytes, SegmentPart::filter, number,
                 filter->fingerprints(), {});
}

Result<void> SegmentWriter::seal_at(std::uint64_t offset, SegmentPart part, std::uint64_t number, Bytes plain,
                                    Bytes aad) {
  Buffer sealed(plain.size() + crypto::kTagBytes);
  aead_.seal(segment_nonce(part, number), aad, plain, sealed);
  return write_at(file_, offset, sealed);
}

Result<void> SegmentWriter::finish(std::vector<model::TransactionId> transactions,
                                   std::vector<model::TransactionId> covered) {
  do {
    TRY(end_page(false));
  } while (tables_.pages < tables_.home_pages);
  TRY(flush_pages());
  if (!partition_.empty()) TRY(end_partition());
  tables_.transactions = std::move(transactions);
  tables_.covered = std::move(covered);
  const Buffer tables = encode_tables(tables_);
  SegmentHeader header;
  header.salt = salt_;
  header.tables_at = tables_.pages_at + tables_.pages * kPageBytes;
  header.tables_bytes = tables.size() + crypto::kTagBytes;
  const Buffer header_bytes = encode_segment_header(header);
  TRY(seal_at(header.tables_at, SegmentPart::tables, 0, tables, header_bytes));
  return write_at(file_, 0, header_bytes);
}

}  // namespace holdfast::repo
