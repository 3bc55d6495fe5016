#include "repo/local_tree.h"

#include <unistd.h>

#include <fmt/core.h>

#include "crypto/hash.h"

namespace holdfast::repo {

namespace {

constexpr char kMagic[4] = {'H', 'F', 'L', '1'};
constexpr std::size_t kHeadBytes = 36;
constexpr std::uint32_t kRecordBytesMax = 256 * kMiB;
// The summary is sealed under a number that no leaf gets.
constexpr std::uint64_t kSummaryNumber = ~std::uint64_t{0};

crypto::Nonce nonce(std::uint64_t number) {
  crypto::Nonce out{};
  std::memcpy(out.data(), &number, sizeof number);
  return out;
}

crypto::Aead cipher(const crypto::Key& key, Bytes salt) {
  return crypto::Aead(crypto::derive_key("holdfast 0 local tree", {key.bytes(), salt}));
}

Buffer encode_summary(const LocalSummary& s) {
  Encoder out;
  out.raw(s.snapshot);
  encode(out, s.transaction);
  encode(out, s.start);
  out.varint(s.files);
  out.varint(s.nodes.size());
  for (const auto& [id, address] : s.nodes) {
    out.raw(id);
    encode(out, address);
  }
  out.varint(s.bundles.size());
  for (const LocalBundle& bundle : s.bundles) {
    encode(out, bundle.address);
    out.u32(bundle.total_bytes);
    out.u32(bundle.live_bytes);
  }
  out.varint(s.pages.size());
  for (const auto& [path, transaction] : s.pages) {
    out.u64(path);
    encode(out, transaction);
  }
  return out.take();
}

std::optional<LocalSummary> decode_summary(Bytes bytes) {
  Decoder in(bytes);
  LocalSummary s;
  s.snapshot = in.array<32>();
  s.transaction = model::decode_transaction(in);
  s.start = model::decode_time(in);
  s.files = in.varint();
  s.nodes.resize(in.count(36));
  for (auto& [id, address] : s.nodes) {
    id = in.array<16>();
    address = model::decode_address(in);
  }
  s.bundles.resize(in.count(28));
  for (LocalBundle& bundle : s.bundles) {
    bundle.address = model::decode_address(in);
    bundle.total_bytes = in.u32();
    bundle.live_bytes = in.u32();
  }
  s.pages.resize(in.count(20));
  for (auto& [path, transaction] : s.pages) {
    path = in.u64();
    transaction = model::decode_transaction(in);
  }
  if (!in.finish("the summary").ok()) return std::nullopt;
  return s;
}

}  // namespace

LocalTreeWriter::LocalTreeWriter(std::string path, const crypto::Key& key, Random& random)
    : path_(std::move(path)), aead_(key) {
  const auto salt = random.array<32>();
  aead_ = cipher(key, salt);
  if (path_.empty()) return;
  temporary_ = fmt::format("{}.{}.new", path_, ::getpid());
  file_ = std::fopen(temporary_.c_str(), "wbe");
  if (file_ == nullptr) return;
  std::setvbuf(file_, nullptr, _IOFBF, 256 * kKiB);
  std::fwrite(kMagic, 1, sizeof kMagic, file_);
  std::fwrite(salt.data(), 1, salt.size(), file_);
  size_ = kHeadBytes;
}

LocalTreeWriter::~LocalTreeWriter() {
  if (file_ == nullptr) return;
  std::fclose(file_);
  ::unlink(temporary_.c_str());
}

void LocalTreeWriter::put(Bytes plain) {
  const auto length = static_cast<std::uint32_t>(plain.size() + crypto::kTagBytes);
  sealed_.resize(length);
  aead_.seal(nonce(records_), {}, plain, sealed_);
  std::fwrite(&length, 1, sizeof length, file_);
  std::fwrite(sealed_.data(), 1, sealed_.size(), file_);
  size_ += sizeof length + length;
}

void LocalTreeWriter::add(const LeafOrigin& origin, const std::vector<LocalEntry>& entries, Bytes block) {
  if (file_ == nullptr) return;
  Encoder out;
  encode(out, origin.address);
  out.raw(origin.id);
  encode(out, origin.base);
  out.raw(origin.base_id);
  out.u32(origin.base_entries);
  out.varint(entries.size());
  std::uint64_t inode = 0;
  std::int64_t seconds = 0;
  for (const LocalEntry& e : entries) {
    out.varint(e.base.present ? (std::uint64_t{e.base.position} << 2 | 2 | (e.base.same ? 1 : 0)) : 0);
    out.svarint(static_cast<std::int64_t>(e.stamp.inode - inode));
    out.svarint(e.stamp.ctime.seconds - seconds);
    out.varint(e.stamp.ctime.nanoseconds);
    inode = e.stamp.inode;
    seconds = e.stamp.ctime.seconds;
  }
  out.raw(block);
  add_record(out.bytes());
}

void LocalTreeWriter::add_record(Bytes record) {
  if (file_ == nullptr) return;
  put(record);
  ++records_;
}

void LocalTreeWriter::finish(const LocalSummary& summary) {
  if (file_ == nullptr) return;
  const std::uint64_t at = size_;
  records_ = kSummaryNumber;
  put(encode_summary(summary));
  std::fwrite(&at, 1, sizeof at, file_);
  const bool written = std::ferror(file_) == 0;
  const bool closed = std::fclose(std::exchange(file_, nullptr)) == 0;
  if (written && closed && std::rename(temporary_.c_str(), path_.c_str()) == 0) return;
  ::unlink(temporary_.c_str());
}

std::unique_ptr<LocalTreeReader> LocalTreeReader::open(const std::string& path, const crypto::Key& key) {
  std::FILE* file = path.empty() ? nullptr : std::fopen(path.c_str(), "rbe");
  if (file == nullptr) return nullptr;
  std::setvbuf(file, nullptr, _IOFBF, 256 * kKiB);
  std::array<std::uint8_t, kHeadBytes> head{};
  const bool read = std::fread(head.data(), 1, head.size(), file) == head.size();
  std::unique_ptr<LocalTreeReader> reader(
      new LocalTreeReader(file, cipher(key, Bytes(head).subspan(sizeof kMagic))));  // NOLINT: private
  if (!read || std::memcmp(head.data(), kMagic, sizeof kMagic) != 0 || !reader->load_summary())
    return nullptr;
  return reader;
}

LocalTreeReader::~LocalTreeReader() { std::fclose(file_); }

bool LocalTreeReader::load_summary() {
  if (std::fseek(file_, -8, SEEK_END) != 0) return false;
  const long end = std::ftell(file_);
  if (std::fread(&end_, 1, sizeof end_, file_) != sizeof end_ || end < 0 ||
      end_ >= static_cast<std::uint64_t>(end)) {
    return false;
  }
  if (std::fseek(file_, static_cast<long>(end_), SEEK_SET) != 0) return false;
  records_ = kSummaryNumber;
  const auto plain = record();
  auto summary = plain ? decode_summary(*plain) : std::nullopt;
  if (!summary || std::fseek(file_, kHeadBytes, SEEK_SET) != 0) return false;
  summary_ = std::move(*summary);
  records_ = 0;
  at_ = kHeadBytes;
  return true;
}

std::optional<Buffer> LocalTreeReader::record() {
  std::uint32_t length = 0;
  if (std::fread(&length, 1, sizeof length, file_) != sizeof length) return std::nullopt;
  if (length < crypto::kTagBytes || length > kRecordBytesMax) return std::nullopt;
  Buffer sealed(length);
  Buffer plain(length - crypto::kTagBytes);
  if (std::fread(sealed.data(), 1, length, file_) != length) return std::nullopt;
  if (!aead_.open(nonce(records_), {}, sealed, plain)) return std::nullopt;
  at_ += sizeof length + length;
  ++records_;
  return plain;
}

Result<bool> LocalTreeReader::next(LocalLeaf& leaf) {
  if (at_ >= end_) return false;
  auto plain = record();
  if (!plain) return Error(Errc::damaged, "the local copy of the previous tree");
  auto origin = std::make_shared<LeafOrigin>();
  Decoder in(*plain);
  origin->address = model::decode_address(in);
  origin->id = in.array<16>();
  origin->base = model::decode_address(in);
  origin->base_id = in.array<16>();
  origin->base_entries = in.u32();
  leaf.entries.resize(in.count(4));
  std::uint64_t inode = 0;
  std::int64_t seconds = 0;
  for (LocalEntry& e : leaf.entries) {
    const std::uint64_t base = in.varint();
    e.base = {static_cast<std::uint32_t>(base >> 2), (base & 2) != 0, (base & 1) != 0};
    inode += static_cast<std::uint64_t>(in.svarint());
    seconds += in.svarint();
    e.stamp.inode = inode;
    e.stamp.ctime = {seconds, static_cast<std::uint32_t>(in.varint())};
  }
  TRY(in.finish("the local copy of the previous tree", true));
  TRY(model::decode_block(Bytes(*plain).last(in.left()), decoded_));
  if (decoded_.size() != leaf.entries.size())
    return Error(Errc::damaged, "the local copy of the previous tree");
  for (std::size_t i = 0; i < decoded_.size(); ++i) leaf.entries[i].entry = std::move(decoded_[i]);
  origin->entries = static_cast<std::uint32_t>(leaf.entries.size());
  origin->record = std::move(*plain);
  leaf.origin = std::move(origin);
  return true;
}

}  // namespace holdfast::repo
