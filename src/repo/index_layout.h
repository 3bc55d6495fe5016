// The file of an index segment, a local cache that is never part of a repository:
//
//   0          header: magic, salt, place and length of the tables (plain)
//   4096       filters: one sealed BinaryFuse8 per partition of kPartitionKeys keys, in equal slots
//   pages_at   pages: entries in ascending order of keys, each page sealed (index_page.h)
//   tables_at  tables, sealed: counts, widths, partitions, transactions
//
// All is sealed by AES-256-GCM under a key derived from the cache key and the segment's random salt;
// the nonce is the kind and number of the part, so that none is used twice. An entry's home page is
// ⌊key · home_pages / 2^128⌋ (keys are uniform); where a page is full, the entries that follow stand
// on the next page and the full one says so, as in linear probing. Pure, but for read_at and write_at.
#pragma once

#include <vector>

#include "base/result.h"
#include "crypto/aead.h"
#include "model/address.h"
#include "repo/index_filter.h"
#include "repo/index_page.h"

namespace holdfast::repo {

inline constexpr std::size_t kPartitionKeys = std::size_t{1} << 18;
inline constexpr std::size_t kSegmentSaltBytes = 32;
using SegmentSalt = std::array<std::uint8_t, kSegmentSaltBytes>;

struct SegmentHeader {
  SegmentSalt salt{};
  std::uint64_t tables_at = 0;
  std::uint64_t tables_bytes = 0;  // sealed
};
inline constexpr std::size_t kSegmentHeaderBytes = 8 + kSegmentSaltBytes + 16;

// Keys from `first` to the next partition's first, and their filter.
struct SegmentPartition {
  KeyHalves first;
  BinaryFuse8::Shape shape;
};

struct SegmentTables {
  std::uint64_t records = 0;
  std::uint64_t home_pages = 1;
  std::uint64_t pages = 0;  // home pages, and those that the last ones spilled to
  std::uint64_t pages_at = 0;
  std::uint64_t filter_slot_bytes = 0;  // zero: no filters, every key may be in
  ValueWidths widths;
  std::vector<SegmentPartition> partitions;
  std::vector<model::TransactionId> transactions;  // by ordinal
  std::vector<model::TransactionId> covered;       // ascending

  std::uint64_t home_page(const KeyHalves& key) const;
};

Buffer encode_segment_header(const SegmentHeader& header);
Result<SegmentHeader> decode_segment_header(Bytes bytes);
Buffer encode_tables(const SegmentTables& tables);
Result<SegmentTables> decode_tables(Bytes bytes);

// Lists of transactions, shared with the manifest. Ascending ones take few bytes.
void encode_transactions(Encoder& out, const std::vector<model::TransactionId>& transactions);
std::vector<model::TransactionId> decode_transactions(Decoder& in);

enum class SegmentPart : std::uint32_t { tables = 0, filter = 1, page = 2 };
crypto::Nonce segment_nonce(SegmentPart part, std::uint64_t number);
crypto::Key segment_key(const crypto::Key& cache_key, const SegmentSalt& salt);
// What stands for a key in a filter.
std::uint64_t filter_key(const KeyHalves& key);

// All of `out` or an error: a short file is damage.
Result<void> read_at(int fd, std::uint64_t offset, MutableBytes out);
Result<void> write_at(int fd, std::uint64_t offset, Bytes bytes);

}  // namespace holdfast::repo
