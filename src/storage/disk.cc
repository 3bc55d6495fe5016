#include "storage/disk.h"

#include "base/check.h"

namespace holdfast::storage {

Result<void> write_all(DiskFile& file, std::uint64_t offset, Bytes bytes) {
  while (!bytes.empty()) {
    const std::size_t written = TRY(file.write(offset, bytes));
    HF_ASSERT(written > 0 && written <= bytes.size());
    offset += written;
    bytes = bytes.subspan(written);
  }
  return {};
}

Result<void> read_all(const DiskFile& file, std::uint64_t offset, MutableBytes out) {
  while (!out.empty()) {
    const std::size_t got = TRY(file.read(offset, out));
    HF_ASSERT(got <= out.size());
    if (got == 0) return Error(Errc::damaged, "the file is shorter than it must be");
    offset += got;
    out = out.subspan(got);
  }
  return {};
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<void> make_directories(Disk& disk, const std::string& path, const Made& made) {
  Result<void> result = disk.make_directory(path);
  if (!result.ok() && result.error().kind() == Errc::not_found && parent_of(path) != path) {
    TRY(make_directories(disk, parent_of(path), made));
    result = disk.make_directory(path);
  }
  if (result.ok()) return made(path);
  if (result.error().kind() == Errc::exists) return {};
  return result;
}

}  // namespace holdfast::storage
