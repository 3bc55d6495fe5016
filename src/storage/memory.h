// A store in memory: for tests, simulations and the contract's simplest reading. Any number of Storage
// handles may share one MemoryContent, as clients share a bucket. Power loss is not its concern:
// barrier does nothing.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "storage/storage.h"

namespace holdfast::storage {

struct MemoryContent {
  std::mutex mutex;  // guards objects
  std::map<std::string, std::shared_ptr<const Buffer>> objects;
};

std::unique_ptr<Storage> open_memory(std::shared_ptr<MemoryContent> content);
// With a content of its own.
std::unique_ptr<Storage> open_memory();

}  // namespace holdfast::storage
