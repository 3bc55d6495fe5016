// PosixDisk: the disk of this machine. Scratch files are nameless (O_TMPFILE) where the file system
// has that, else they lie in the directory's kScratchFolder under random names, locked (flock) by their
// living owners. Files are made with mode 0600, directories with 0700.
#pragma once

#include "storage/disk.h"

namespace holdfast::storage {

// Not a valid component of an object's name, so that no object can lie there.
inline constexpr const char* kScratchFolder = "_scratch";

// What the file system is believed to have; a disk falls back by itself where a call says otherwise.
// Tests switch these off to walk the ways of poorer file systems.
struct PosixFeatures {
  bool nameless_files = true;  // O_TMPFILE: not on NFS, CIFS, vfat, some FUSE; not safe on btrfs
  bool hard_links = true;      // link(2): not on vfat, exFAT; there a rename that never replaces
};

class PosixDisk final : public Disk {
 public:
  explicit PosixDisk(PosixFeatures features = {}) : features_(features) {}

  Result<std::unique_ptr<DiskFile>> scratch(const std::string& directory) override;
  Result<void> clear_scratch(const std::string& directory) override;
  Result<std::unique_ptr<DiskFile>> open(const std::string& path) override;
  Result<void> unlink(const std::string& path) override;
  Result<void> make_directory(const std::string& path) override;
  Result<void> sync_directory(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& path) override;
  Result<FileInfo> stat(const std::string& path) override;

 private:
  Result<std::unique_ptr<DiskFile>> named_scratch(const std::string& directory);

  const PosixFeatures features_;
};

}  // namespace holdfast::storage
