// A small repository in memory, for tests of transactions and the log.
#pragma once

#include <gtest/gtest.h>

#include "repo/transaction.h"
#include "storage/memory.h"
#include "tests/support/fake_clock.h"
#include "tests/support/scratch_dir.h"
#include "tests/support/seeded_random.h"

namespace holdfast::repo {

struct World {
  explicit World(std::uint64_t seed = 1)
      : content(std::make_shared<storage::MemoryContent>()),
        storage(storage::open_memory(content)),
        random(seed) {
    CreateOptions options;
    options.label = "ann@host";
    options.cost = {1, 8};
    EXPECT_TRUE(Repository::create(doors(), as_bytes("secret"), options, {}).ok());
    auto opened = Repository::open(doors(), as_bytes("secret"), {});
    EXPECT_TRUE(opened.ok());
    repository = std::move(opened).value();
    local = LocalState::open(cache.path(), *repository);
  }

  Doors doors() { return {*storage, clock, random}; }
  bool has(const std::string& name) const { return content->objects.contains(name); }
  void flip(const std::string& name, std::size_t at) {
    Buffer bytes = *content->objects.at(name);
    bytes[at] ^= 0x20;
    content->objects[name] = std::make_shared<const Buffer>(std::move(bytes));
  }
  std::unique_ptr<Transaction> begin() {
    auto opened = Transaction::open(*repository, *local, {}, {});
    EXPECT_TRUE(opened.ok());
    return std::move(opened).value();
  }
  Result<void> append(LogState& state, const LogEntry& entry) {
    return repository->log().append(state, entry, repository->now(), random, {});
  }

  std::shared_ptr<storage::MemoryContent> content;
  std::unique_ptr<storage::Storage> storage;
  testing::FakeClock clock;
  testing::SeededRandom random;
  testing::ScratchDir cache;
  std::unique_ptr<Repository> repository;
  std::unique_ptr<LocalState> local;
};

}  // namespace holdfast::repo
