// Counts what passes through a store: calls, errors and bytes of each operation.
#pragma once

#include <array>
#include <atomic>

#include "storage/storage.h"

namespace holdfast::storage {

enum class Operation : unsigned char { put, barrier, get, stat, list, remove };
inline constexpr std::size_t kOperations = 6;

struct OperationCount {
  std::uint64_t calls = 0;
  std::uint64_t errors = 0;  // of every kind, `exists` and `not_found` too
  std::uint64_t bytes = 0;   // of successful puts and gets
};

struct StorageCounts {
  std::array<OperationCount, kOperations> operations;
  const OperationCount& of(Operation operation) const {
    return operations[static_cast<std::size_t>(operation)];
  }
};

// The counters. Thread-safe; several storages may share one.
class StorageMetrics {
 public:
  void count(Operation operation, bool ok, std::uint64_t bytes);
  // Each number is exact, of a moment within the call.
  StorageCounts counts() const;

 private:
  struct Cell {
    std::atomic<std::uint64_t> calls = 0;
    std::atomic<std::uint64_t> errors = 0;
    std::atomic<std::uint64_t> bytes = 0;
  };
  std::array<Cell, kOperations> cells_;
};

// `metrics` must outlive the storage.
std::unique_ptr<Storage> metered(std::unique_ptr<Storage> inner, StorageMetrics& metrics);

}  // namespace holdfast::storage
