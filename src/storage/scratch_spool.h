// A spool in a nameless scratch file of this machine, for stores that are elsewhere; its SHA-256 is computed
// as it grows. One thread at a time.
#pragma once

#include "crypto/sha256.h"
#include "storage/disk.h"
#include "storage/storage.h"

namespace holdfast::storage {

class ScratchSpool final : public Spool {
 public:
  explicit ScratchSpool(std::unique_ptr<DiskFile> file) : file_(std::move(file)) {}

  Result<void> append(Bytes bytes) override;
  std::uint64_t size_bytes() const override { return size_bytes_; }
  Result<void> read(std::uint64_t offset, MutableBytes out) const override;
  // From the first call on nothing is appended.
  const Hash& sha256();

 private:
  const std::unique_ptr<DiskFile> file_;
  std::uint64_t size_bytes_ = 0;
  crypto::Sha256 hasher_;
  std::optional<Hash> sha256_;
};

}  // namespace holdfast::storage
