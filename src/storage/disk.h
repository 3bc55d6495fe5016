// Disk and DiskFile: the door to the files of a store: the few operations of POSIX that the local
// backend stands on, so that a simulated disk can lose power between any two of them. PosixDisk
// (posix_disk.h) is the real one. Paths are absolute or relative as the system takes them.
//
// Promised as by POSIX and no more: written bytes survive power loss only after sync(); a name made
// or removed survives only after sync_directory() of its directory. After a failed sync nothing
// can be known of what was written, however many later syncs succeed.
// Errors carry the kind that fits the errno: not_found, exists, denied, no_space, failed …
// Thread-safe, but for one DiskFile being written.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace holdfast::storage {

class DiskFile {
 public:
  virtual ~DiskFile() = default;
  // Writes at least the first byte of `bytes`, which must not be empty; tells how many.
  virtual Result<std::size_t> write(std::uint64_t offset, Bytes bytes) = 0;
  // Reads at least one byte into `out`, which must not be empty; 0 only at or beyond the end.
  virtual Result<std::size_t> read(std::uint64_t offset, MutableBytes out) const = 0;
  virtual Result<std::uint64_t> size_bytes() const = 0;
  virtual Result<void> sync() = 0;
  // A hint to write that range to the medium now, so that a later sync() has little left to do.
  virtual void start_writeback(std::uint64_t offset, std::uint64_t length) = 0;
  // Names a scratch file, atomically; Errc::exists where the name is taken, Errc::not_found where the
  // directory is missing. The name outlives the DiskFile.
  virtual Result<void> link(const std::string& path) = 0;
};

enum class FileType : unsigned char { regular, directory, other };

struct FileInfo {
  FileType type = FileType::regular;
  std::uint64_t size_bytes = 0;
};

class Disk {
 public:
  virtual ~Disk() = default;
  // A new file without a name on the file system of `directory`; gone with its owner unless linked.
  virtual Result<std::unique_ptr<DiskFile>> scratch(const std::string& directory) = 0;
  // Drops what crashed processes left behind of scratch files of `directory`.
  virtual Result<void> clear_scratch(const std::string& directory) = 0;
  // Opens a regular file for reading.
  virtual Result<std::unique_ptr<DiskFile>> open(const std::string& path) = 0;
  virtual Result<void> unlink(const std::string& path) = 0;
  virtual Result<void> make_directory(const std::string& path) = 0;
  virtual Result<void> sync_directory(const std::string& path) = 0;
  // Names of the entries without "." and "..", in no particular order.
  virtual Result<std::vector<std::string>> list(const std::string& path) = 0;
  // Symbolic links are not followed.
  virtual Result<FileInfo> stat(const std::string& path) = 0;
};

// All of `bytes`, or an error after which any part may have been written.
Result<void> write_all(DiskFile& file, std::uint64_t offset, Bytes bytes);
// Fills `out`; Errc::damaged where the file ends before.
Result<void> read_all(const DiskFile& file, std::uint64_t offset, MutableBytes out);

// The directory of a path: "." for a relative path of one component, "/" for what lies in the root.
std::string parent_of(const std::string& path);
// Makes the directory `path` and what is missing above it; tells `made` of each that was not there.
using Made = std::function<Result<void>(const std::string& path)>;
Result<void> make_directories(Disk& disk, const std::string& path, const Made& made);

}  // namespace holdfast::storage
