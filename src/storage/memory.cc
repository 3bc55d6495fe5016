#include "storage/memory.h"

#include "base/check.h"
#include "storage/name.h"
#include "storage/range.h"

namespace holdfast::storage {

namespace {

class MemorySpool final : public Spool {
 public:
  Result<void> append(Bytes bytes) override {
    holdfast::append(bytes_, bytes);
    return {};
  }
  std::uint64_t size_bytes() const override { return bytes_.size(); }
  Result<void> read(std::uint64_t offset, MutableBytes out) const override {
    HF_ASSERT(offset <= bytes_.size() && out.size() <= bytes_.size() - offset);
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
    return {};
  }
  const Buffer& bytes() const { return bytes_; }

 private:
  Buffer bytes_;
};

class MemoryStorage final : public Storage {
 public:
  explicit MemoryStorage(std::shared_ptr<MemoryContent> content) : content_(std::move(content)) {}

  std::string describe() const override { return "memory"; }

  Result<void> put(const std::string& name, Bytes bytes, std::stop_token stop) override {
    TRY(check(name, stop));
    auto object = std::make_shared<const Buffer>(bytes.begin(), bytes.end());
    const std::lock_guard lock(content_->mutex);
    if (content_->objects.emplace(name, std::move(object)).second) return {};
    return Error(Errc::exists, fmt::format("{} is there already", name));
  }
  Result<std::unique_ptr<Spool>> spool() override { return std::unique_ptr<Spool>(new MemorySpool); }
  Result<void> put(const std::string& name, Spool& spool, std::stop_token stop) override {
    const auto* ours = dynamic_cast<const MemorySpool*>(&spool);
    HF_ASSERT(ours != nullptr);
    return put(name, ours->bytes(), std::move(stop));
  }
  Result<void> cover(const std::string& name, std::stop_token stop) override {
    TRY(find(name, stop));
    return {};
  }
  Result<void> barrier(std::stop_token) override { return {}; }

  Result<Buffer> get(const std::string& name, ByteRange range, std::stop_token stop) override {
    const std::shared_ptr<const Buffer> object = TRY(find(name, stop));
    const std::uint64_t length = TRY(length_within(range, {name, object->size()}));
    const auto from = object->begin() + static_cast<std::ptrdiff_t>(range.offset);
    return Buffer(from, from + static_cast<std::ptrdiff_t>(length));
  }
  Result<ObjectInfo> stat(const std::string& name, std::stop_token stop) override {
    const std::shared_ptr<const Buffer> object = TRY(find(name, stop));
    return ObjectInfo{name, object->size()};
  }
  Result<void> list(std::string_view prefix, const Visit& visit, std::stop_token stop) override {
    std::vector<ObjectInfo> found;
    {
      const std::lock_guard lock(content_->mutex);
      const auto& objects = content_->objects;
      for (auto at = objects.lower_bound(std::string(prefix)); at != objects.end(); ++at) {
        if (!at->first.starts_with(prefix)) break;
        found.push_back({at->first, at->second->size()});
      }
    }
    // Outside the lock, because a visitor may use the store.
    for (const ObjectInfo& object : found) {
      if (stop.stop_requested()) return Error(Errc::stopped, "stopped");
      TRY(visit(object));
    }
    return {};
  }
  Result<void> remove(const std::string& name, std::stop_token stop) override {
    TRY(check(name, stop));
    const std::lock_guard lock(content_->mutex);
    content_->objects.erase(name);
    return {};
  }

 private:
  static Result<void> check(const std::string& name, const std::stop_token& stop) {
    if (stop.stop_requested()) return Error(Errc::stopped, "stopped");
    return check_name(name);
  }
  Result<std::shared_ptr<const Buffer>> find(const std::string& name, const std::stop_token& stop) {
    TRY(check(name, stop));
    const std::lock_guard lock(content_->mutex);
    const auto at = content_->objects.find(name);
    if (at == content_->objects.end()) return Error(Errc::not_found, fmt::format("no object {}", name));
    return at->second;
  }

  const std::shared_ptr<MemoryContent> content_;
};

}  // namespace

std::unique_ptr<Storage> open_memory(std::shared_ptr<MemoryContent> content) {
  return std::make_unique<MemoryStorage>(std::move(content));
}

std::unique_ptr<Storage> open_memory() { return open_memory(std::make_shared<MemoryContent>()); }

}  // namespace holdfast::storage
