// OnMemory: the ground of suites that look at, and spoil, the objects of a repository in memory.
#pragma once

#include <gtest/gtest.h>

#include "storage/memory.h"
#include "tests/support/backup_world.h"

namespace holdfast::testing {

class OnMemory : public ::testing::Test {
 protected:
  OnMemory()
      : content_(std::make_shared<storage::MemoryContent>()),
        storage_(storage::open_memory(content_)),
        world_(*storage_, 1) {
    EXPECT_TRUE(world_.create().ok());
  }

  // Zeros instead of the object, of the same size.
  void ruin(const std::string& name) {
    content_->objects[name] = std::make_shared<const Buffer>(Buffer(content_->objects.at(name)->size()));
  }

  std::shared_ptr<storage::MemoryContent> content_;
  std::unique_ptr<storage::Storage> storage_;
  BackupWorld world_;
};

}  // namespace holdfast::testing
