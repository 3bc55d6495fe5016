#include "storage/cache.h"

#include <list>

#include "base/codec.h"
#include "storage/name.h"
#include "storage/range.h"

namespace holdfast::storage {

namespace {

constexpr std::uint32_t kMagic = 0x31434648;  // "HFC1"

// FNV-1a, 64 bits (draft-eastlake-fnv).
std::uint64_t checksum(Bytes bytes) {
  std::uint64_t sum = 0xcbf29ce484222325;
  for (const std::uint8_t byte : bytes) sum = (sum ^ byte) * 0x100000001b3;
  return sum;
}

// A file of the cache: magic, checksum of the rest, name, object.
Buffer seal(std::string_view name, Bytes object) {
  Encoder rest;
  rest.string(name);
  rest.raw(object);
  Encoder out;
  out.u32(kMagic);
  out.u64(checksum(rest.bytes()));
  out.raw(rest.bytes());
  return out.take();
}

std::optional<Buffer> unseal(std::string_view name, Bytes file) {
  Decoder in(file);
  const bool known = in.u32() == kMagic;
  const std::uint64_t sum = in.u64();
  if (!in.ok() || !known || checksum(file.last(in.left())) != sum) return std::nullopt;
  const bool same = in.string() == name;
  if (!in.ok() || !same) return std::nullopt;
  const Bytes object = file.last(in.left());
  return Buffer(object.begin(), object.end());
}

// The files. Every failure is a miss.
class CacheFolder {
 public:
  CacheFolder(Disk& disk, std::string path, std::uint64_t bytes_max)
      : disk_(disk), path_(std::move(path)), bytes_max_(bytes_max) {
    static_cast<void>(make_directories(disk_, path_, [](const std::string&) { return Result<void>(); }).ok());
    static_cast<void>(disk_.clear_scratch(path_).ok());
    Result<std::vector<std::string>> leaves = disk_.list(path_);
    if (!leaves.ok()) return;
    const std::lock_guard lock(mutex_);
    for (std::string& leaf : leaves.value()) {
      Result<FileInfo> info = disk_.stat(path_of(leaf));
      if (info.ok() && info.value().type == FileType::regular)
        enter(std::move(leaf), info.value().size_bytes);
    }
    make_room(0);
  }

  std::optional<Buffer> read(const std::string& name) {
    const std::string leaf = leaf_of(name);
    std::optional<Buffer> object = read_file(name, leaf);
    const std::lock_guard lock(mutex_);
    const auto at = entries_.find(leaf);
    if (object && at != entries_.end()) order_.splice(order_.end(), order_, at->second);
    return object;
  }

  void write(const std::string& name, Bytes object) {
    const std::string leaf = leaf_of(name);
    const Buffer file = seal(name, object);
    if (file.size() > bytes_max_) return;
    {
      const std::lock_guard lock(mutex_);
      forget(leaf);  // what is there is not readable, or the store had not been asked
      make_room(file.size());
    }
    Result<std::unique_ptr<DiskFile>> scratch = disk_.scratch(path_);
    if (!scratch.ok() || !write_all(*scratch.value(), 0, file).ok()) return;
    // Not synced: what a crash tears is told by its checksum.
    if (!scratch.value()->link(path_of(leaf)).ok()) return;
    const std::lock_guard lock(mutex_);
    enter(leaf, file.size());
  }

  void drop(const std::string& name) {
    const std::lock_guard lock(mutex_);
    forget(leaf_of(name));
  }

 private:
  struct Entry {
    std::string leaf;
    std::uint64_t size_bytes;
  };

  // One flat folder: names hold no '_'.
  static std::string leaf_of(std::string name) {
    std::replace(name.begin(), name.end(), '/', '_');
    return "o_" + name;
  }
  std::string path_of(const std::string& leaf) const { return path_ + "/" + leaf; }

  std::optional<Buffer> read_file(const std::string& name, const std::string& leaf) {
    const Result<std::unique_ptr<DiskFile>> file = disk_.open(path_of(leaf));
    if (!file.ok()) return std::nullopt;
    const Result<std::uint64_t> size_bytes = file.value()->size_bytes();
    if (!size_bytes.ok() || size_bytes.value() > bytes_max_) return std::nullopt;
    Buffer bytes(size_bytes.value());
    if (!read_all(*file.value(), 0, bytes).ok()) return std::nullopt;
    return unseal(name, bytes);
  }

  // The rest under mutex_.
  void enter(std::string leaf, std::uint64_t size_bytes) {
    if (entries_.contains(leaf)) return;
    bytes_ += size_bytes;
    order_.push_back({leaf, size_bytes});
    entries_.emplace(std::move(leaf), std::prev(order_.end()));
  }
  void forget(const std::string& leaf) {
    static_cast<void>(disk_.unlink(path_of(leaf)).ok());
    const auto at = entries_.find(leaf);
    if (at == entries_.end()) return;
    bytes_ -= at->second->size_bytes;
    order_.erase(at->second);
    entries_.erase(at);
  }
  void make_room(std::uint64_t more_bytes) {
    while (!order_.empty() && bytes_ + more_bytes > bytes_max_) {
      const std::string oldest = order_.front().leaf;
      forget(oldest);
    }
  }

  Disk& disk_;
  const std::string path_;
  const std::uint64_t bytes_max_;
  std::mutex mutex_;        // guards the rest
  std::list<Entry> order_;  // least recently used first
  std::unordered_map<std::string, std::list<Entry>::iterator> entries_;
  std::uint64_t bytes_ = 0;
};

class CachedStorage final : public Storage {
 public:
  CachedStorage(std::unique_ptr<Storage> inner, Disk& disk, std::string directory, CachePolicy policy)
      : inner_(std::move(inner)),
        policy_(std::move(policy)),
        folder_(disk, std::move(directory), policy_.bytes_max) {}

  std::string describe() const override { return inner_->describe(); }

  Result<void> put(const std::string& name, Bytes bytes, std::stop_token stop) override {
    return inner_->put(name, bytes, std::move(stop));
  }
  Result<std::unique_ptr<Spool>> spool() override { return inner_->spool(); }
  Result<void> put(const std::string& name, Spool& spool, std::stop_token stop) override {
    return inner_->put(name, spool, std::move(stop));
  }
  Result<void> cover(const std::string& name, std::stop_token stop) override {
    return inner_->cover(name, std::move(stop));
  }
  Result<void> barrier(std::stop_token stop) override { return inner_->barrier(std::move(stop)); }

  Result<Buffer> get(const std::string& name, ByteRange range, std::stop_token stop) override {
    const bool wanted = valid_name(name) && !stop.stop_requested() && policy_.accepts(name);
    if (!wanted) return inner_->get(name, range, std::move(stop));
    if (const std::optional<Buffer> object = folder_.read(name)) {
      const std::uint64_t length = TRY(length_within(range, {name, object->size()}));
      const auto from = object->begin() + static_cast<std::ptrdiff_t>(range.offset);
      return Buffer(from, from + static_cast<std::ptrdiff_t>(length));
    }
    Buffer bytes = TRY(inner_->get(name, range, std::move(stop)));
    const bool whole = range.offset == 0 && range.length == ByteRange::kToEnd;
    if (whole && bytes.size() <= policy_.object_bytes_max) folder_.write(name, bytes);
    return bytes;
  }
  Result<ObjectInfo> stat(const std::string& name, std::stop_token stop) override {
    return inner_->stat(name, std::move(stop));
  }
  Result<void> list(std::string_view prefix, const Visit& visit, std::stop_token stop) override {
    return inner_->list(prefix, visit, std::move(stop));
  }
  Result<void> remove(const std::string& name, std::stop_token stop) override {
    Result<void> removed = inner_->remove(name, std::move(stop));
    // Whatever the answer: an error may hide a removal.
    if (valid_name(name)) folder_.drop(name);
    return removed;
  }

 private:
  const std::unique_ptr<Storage> inner_;
  const CachePolicy policy_;
  CacheFolder folder_;
};

}  // namespace

std::unique_ptr<Storage> cached(std::unique_ptr<Storage> inner, Disk& disk, std::string directory,
                                CachePolicy policy) {
  return std::make_unique<CachedStorage>(std::move(inner), disk, std::move(directory), std::move(policy));
}

}  // namespace holdfast::storage
