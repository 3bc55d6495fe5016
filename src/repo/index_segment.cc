#include "repo/index_segment.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

namespace holdfast::repo {

namespace {

constexpr std::size_t kCursorPages = 16;

Error damage(std::string_view what) { return Error(Errc::damaged, fmt::format("index {}", what)); }

// Every number that sizes or places something, held against the file. It was authenticated, but memory
// can have been bad when it was sealed, and this must not end a backup.
bool plausible(const SegmentTables& tables, std::uint64_t file_bytes) {
  if (tables.home_pages == 0 || tables.home_pages > tables.pages) return false;
  if (tables.pages_at > file_bytes || tables.pages > (file_bytes - tables.pages_at) / kPageBytes)
    return false;
  for (const std::uint8_t width : tables.widths.bytes) {
    if (width > 4) return false;
  }
  if (tables.records > tables.pages * tables.widths.page_entries()) return false;
  if (tables.filter_slot_bytes == 0) return tables.partitions.empty();
  if (tables.partitions.size() > tables.pages_at / tables.filter_slot_bytes) return false;
  for (const SegmentPartition& partition : tables.partitions) {
    if (partition.shape.segment_bits > 32) return false;
    if (partition.shape.bytes() + crypto::kTagBytes > tables.filter_slot_bytes) return false;
  }
  return true;
}

}  // namespace

class IndexSegment::Reader {
 public:
  explicit Reader(const crypto::Key& key) : aead(key), sealed_(kPageBytes), plain_(kPagePlainBytes) {}

  // The page's plain bytes, until the next call.
  Result<Bytes> page(const IndexSegment& segment, std::uint64_t number) {
    if (number == number_) return Bytes(plain_);
    number_ = kNone;
    TRY(read_at(segment.file_.get(), segment.tables_.pages_at + number * kPageBytes, sealed_));
    if (!aead.open(segment_nonce(SegmentPart::page, number), {}, sealed_, plain_)) return damage("page");
    number_ = number;
    return Bytes(plain_);
  }

  crypto::Aead aead;

 private:
  static constexpr std::uint64_t kNone = ~std::uint64_t{0};
  std::uint64_t number_ = kNone;
  Buffer sealed_;
  Buffer plain_;
};

std::string segment_name(const SegmentSalt& salt) {
  return "segment-" + hex(Bytes(salt).first(salt.size() / 2));
}

Result<std::shared_ptr<IndexSegment>> IndexSegment::open(Fd file, const std::string& name,
                                                         const crypto::Key& cache_key) {
  struct stat status {};
  if (!file.valid() || ::fstat(file.get(), &status) != 0) return errno_error(errno, "index segment");
  const auto file_bytes = static_cast<std::uint64_t>(status.st_size);
  Buffer header_bytes(kSegmentHeaderBytes);
  TRY(read_at(file.get(), 0, header_bytes));
  const SegmentHeader header = TRY(decode_segment_header(header_bytes));
  if (segment_name(header.salt) != name) return damage("segment under a wrong name");
  if (header.tables_bytes < crypto::kTagBytes || header.tables_bytes > file_bytes ||
      header.tables_at > file_bytes - header.tables_bytes) {
    return damage("segment is short");
  }
  crypto::Key key = segment_key(cache_key, header.salt);
  Buffer sealed(header.tables_bytes);
  TRY(read_at(file.get(), header.tables_at, sealed));
  Buffer plain(sealed.size() - crypto::kTagBytes);
  crypto::Aead aead(key);
  if (!aead.open(segment_nonce(SegmentPart::tables, 0), header_bytes, sealed, plain)) return damage("tables");
  SegmentTables tables = TRY(decode_tables(plain));
  if (!plausible(tables, file_bytes)) return damage("tables");
  // Look-ups are scattered: read-ahead would only cost. A hint, so its failure doesn't matter.
  ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_RANDOM);
  return std::shared_ptr<IndexSegment>(
      new IndexSegment(std::move(file), name, std::move(key), std::move(tables), file_bytes));
}

IndexSegment::IndexSegment(Fd file, std::string name, crypto::Key key, SegmentTables tables,
                           std::uint64_t bytes)
    : file_(std::move(file)),
      name_(std::move(name)),
      key_(std::move(key)),
      tables_(std::move(tables)),
      bytes_(bytes),
      filters_(std::make_unique<Filter[]>(tables_.partitions.size())) {}

IndexSegment::~IndexSegment() = default;

bool IndexSegment::covers(const model::TransactionId& id) const {
  return std::binary_search(tables_.covered.begin(), tables_.covered.end(), id);
}

Result<std::optional<IndexEntry>> IndexSegment::find(const KeyHalves& key) const {
  std::unique_ptr<Reader> reader;
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      reader = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (!reader) reader = std::make_unique<Reader>(key_);
  auto found = find_with(*reader, key);
  if (!found.ok()) damaged_ = true;
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(reader));
  return found;
}

Result<std::optional<IndexEntry>> IndexSegment::find_with(Reader& reader, const KeyHalves& key) const {
  const bool maybe = TRY(may_contain(reader, key));
  if (!maybe) return std::optional<IndexEntry>();
  for (std::uint64_t number = tables_.home_page(key); number < tables_.pages; ++number) {
    const Bytes plain = TRY(reader.page(*this, number));
    const PageView page(tables_.widths, plain);
    const std::size_t at = page.lower_bound(key);
    if (at < page.count()) {
      if (page.key(at) != key) break;
      const IndexEntry entry = page.entry(at);
      if (entry.values[IndexEntry::kTransaction] >= tables_.transactions.size()) return damage("transaction");
      return std::optional(entry);
    }
    if (!page.spills()) break;
  }
  return std::optional<IndexEntry>();
}

Result<bool> IndexSegment::may_contain(Reader& reader, const KeyHalves& key) const {
  if (tables_.filter_slot_bytes == 0) return true;
  const auto after = std::upper_bound(
      tables_.partitions.begin(), tables_.partitions.end(), key,
      [](const KeyHalves& wanted, const SegmentPartition& partition) { return wanted < partition.first; });
  if (after == tables_.partitions.begin()) return false;
  const auto partition = static_cast<std::size_t>(after - tables_.partitions.begin()) - 1;
  Filter& slot = filters_[partition];
  bool good = true;
  slot.once.call([&] {
    auto loaded = load_filter(reader, partition);
    good = loaded.ok();
    if (good) slot.filter = std::move(loaded).value();
    if (good) bytes_resident_ += slot.filter.fingerprints().size();
  });
  // Other threads then see an empty filter until the index has taken note of the damage.
  if (!good) return damage("filter");
  return slot.filter.may_contain(filter_key(key));
}

Result<BinaryFuse8> IndexSegment::load_filter(Reader& reader, std::size_t partition) const {
  const BinaryFuse8::Shape& shape = tables_.partitions[partition].shape;
  Buffer sealed(shape.bytes() + crypto::kTagBytes);
  TRY(read_at(file_.get(), kPageBytes + partition * tables_.filter_slot_bytes, sealed));
  Buffer plain(shape.bytes());
  if (!reader.aead.open(segment_nonce(SegmentPart::filter, partition), {}, sealed, plain))
    return damage("filter");
  return BinaryFuse8(shape, std::move(plain));
}

IndexSegment::Cursor::Cursor(std::shared_ptr<const IndexSegment> segment)
    : segment_(std::move(segment)),
      aead_(segment_->key_),
      sealed_(kCursorPages * kPageBytes),
      plain_(kCursorPages * kPagePlainBytes) {}

Result<bool> IndexSegment::Cursor::next() {
  while (!page_ || at_ == page_->count()) {
    if (pages_left_ == 0) {
      if (pages_loaded_ == segment_->tables_.pages) return false;
      auto loaded = load();
      if (!loaded.ok()) {
        segment_->mark_damaged();
        return std::move(loaded).error();
      }
    }
    const std::size_t loaded = plain_.size() / kPagePlainBytes;
    page_.emplace(segment_->tables_.widths,
                  Bytes(plain_).subspan((loaded - pages_left_) * kPagePlainBytes, kPagePlainBytes));
    --pages_left_;
    at_ = 0;
  }
  entry_ = page_->entry(at_++);
  return true;
}

Result<void> IndexSegment::Cursor::load() {
  const std::uint64_t left = segment_->tables_.pages - pages_loaded_;
  const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(left, kCursorPages));
  sealed_.resize(count * kPageBytes);
  plain_.resize(count * kPagePlainBytes);
  TRY(read_at(segment_->file_.get(), segment_->tables_.pages_at + pages_loaded_ * kPageBytes, sealed_));
  for (std::size_t i = 0; i < count; ++i) {
    const MutableBytes plain = MutableBytes(plain_).subspan(i * kPagePlainBytes, kPagePlainBytes);
    if (!aead_.open(segment_nonce(SegmentPart::page, pages_loaded_ + i), {},
                    Bytes(sealed_).subspan(i * kPageBytes, kPageBytes), plain)) {
      return damage("page");
    }
  }
  pages_loaded_ += count;
  pages_left_ = count;
  return {};
}

}  // namespace holdfast::repo
