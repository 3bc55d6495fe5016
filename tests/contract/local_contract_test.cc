// The contract for the store in memory and the store in a directory.
#include "storage/local.h"
#include "storage/memory.h"
#include "storage/posix_disk.h"
#include "tests/contract/storage_contract.h"
#include "tests/support/scratch_dir.h"
#include "tests/support/sim_disk.h"

namespace holdfast::storage {

namespace {

class MemoryStore final : public Store {
 public:
  std::unique_ptr<Storage> client() override { return open_memory(content_); }

 private:
  std::shared_ptr<MemoryContent> content_ = std::make_shared<MemoryContent>();
};

class DirectoryStore final : public Store {
 public:
  explicit DirectoryStore(PosixFeatures features) : disk_(features) {}
  std::unique_ptr<Storage> client() override {
    Result<std::unique_ptr<Storage>> storage = open_local(disk_, scratch_.path() + "/s", IfMissing::create);
    HF_ASSERT(storage.ok());
    return std::move(storage).value();
  }

 private:
  testing::ScratchDir scratch_;
  PosixDisk disk_;
};

class SimulatedStore final : public Store {
 public:
  std::unique_ptr<Storage> client() override {
    Result<std::unique_ptr<Storage>> storage = open_local(disk_, "/srv/store", IfMissing::create);
    HF_ASSERT(storage.ok());
    return std::move(storage).value();
  }

 private:
  testing::SimDisk disk_;
};

Subject directory(std::string name, PosixFeatures features) {
  return {std::move(name), [features] { return std::make_unique<DirectoryStore>(features); }};
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(
    Local, StorageContract,
    ::testing::Values(Subject{"Memory", [] { return std::make_unique<MemoryStore>(); }},
                      directory("Directory", {}), directory("NamedScratch", {.nameless_files = false}),
                      directory("NoHardLinks", {.hard_links = false}),
                      Subject{"SimulatedDisk", [] { return std::make_unique<SimulatedStore>(); }}),
    subject_name);

}  // namespace holdfast::storage
