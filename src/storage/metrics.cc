#include "storage/metrics.h"

namespace holdfast::storage {

void StorageMetrics::count(Operation operation, bool ok, std::uint64_t bytes) {
  Cell& cell = cells_[static_cast<std::size_t>(operation)];
  cell.calls.fetch_add(1, std::memory_order_relaxed);
  if (!ok) cell.errors.fetch_add(1, std::memory_order_relaxed);
  cell.bytes.fetch_add(bytes, std::memory_order_relaxed);
}

StorageCounts StorageMetrics::counts() const {
  StorageCounts out;
  for (std::size_t i = 0; i < kOperations; ++i) {
    out.operations[i] = {.calls = cells_[i].calls.load(std::memory_order_relaxed),
                         .errors = cells_[i].errors.load(std::memory_order_relaxed),
                         .bytes = cells_[i].bytes.load(std::memory_order_relaxed)};
  }
  return out;
}

namespace {

class MeteredStorage final : public Storage {
 public:
  MeteredStorage(std::unique_ptr<Storage> inner, StorageMetrics& metrics)
      : inner_(std::move(inner)), metrics_(metrics) {}

  std::string describe() const override { return inner_->describe(); }

  Result<void> put(const std::string& name, Bytes bytes, std::stop_token stop) override {
    return counted(Operation::put, inner_->put(name, bytes, std::move(stop)), bytes.size());
  }
  Result<std::unique_ptr<Spool>> spool() override { return inner_->spool(); }
  Result<void> put(const std::string& name, Spool& spool, std::stop_token stop) override {
    return counted(Operation::put, inner_->put(name, spool, std::move(stop)), spool.size_bytes());
  }
  Result<void> cover(const std::string& name, std::stop_token stop) override {
    return counted(Operation::stat, inner_->cover(name, std::move(stop)), 0);
  }
  Result<void> barrier(std::stop_token stop) override {
    return counted(Operation::barrier, inner_->barrier(std::move(stop)), 0);
  }
  Result<Buffer> get(const std::string& name, ByteRange range, std::stop_token stop) override {
    Result<Buffer> bytes = inner_->get(name, range, std::move(stop));
    const std::uint64_t size_bytes = bytes.ok() ? bytes.value().size() : 0;
    return counted(Operation::get, std::move(bytes), size_bytes);
  }
  Result<ObjectInfo> stat(const std::string& name, std::stop_token stop) override {
    return counted(Operation::stat, inner_->stat(name, std::move(stop)), 0);
  }
  Result<void> list(std::string_view prefix, const Visit& visit, std::stop_token stop) override {
    return counted(Operation::list, inner_->list(prefix, visit, std::move(stop)), 0);
  }
  Result<void> remove(const std::string& name, std::stop_token stop) override {
    return counted(Operation::remove, inner_->remove(name, std::move(stop)), 0);
  }

 private:
  template <typename T>
  Result<T> counted(Operation operation, Result<T> result, std::uint64_t bytes) {
    metrics_.count(operation, result.ok(), result.ok() ? bytes : 0);
    return result;
  }

  const std::unique_ptr<Storage> inner_;
  StorageMetrics& metrics_;
};

}  // namespace

std::unique_ptr<Storage> metered(std::unique_ptr<Storage> inner, StorageMetrics& metrics) {
  return std::make_unique<MeteredStorage>(std::move(inner), metrics);
}

}  // namespace holdfast::storage
