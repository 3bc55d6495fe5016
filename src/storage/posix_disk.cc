#include "storage/posix_disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cerrno>

#include "base/fd.h"
#include "base/random.h"

namespace holdfast::storage {

namespace {

// Calls again what a signal interrupted.
template <typename Call>
auto uninterrupted(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

Error io_error(const char* verb, const std::string& path) {
  return errno_error(errno, fmt::format("can't {} {}", verb, path));
}

FileType type_of(mode_t mode) {
  if (S_ISREG(mode)) return FileType::regular;
  return S_ISDIR(mode) ? FileType::directory : FileType::other;
}

// btrfs leaves a file without a name out of its log (btrfs_log_inode_parent skips link count 0), so that the
// sync before the link would not save it: a name logged later could then bring back an empty file.
bool syncs_nameless_files(const std::string& directory) {
  struct statfs info;
  return ::statfs(directory.c_str(), &info) == 0 && info.f_type != BTRFS_SUPER_MAGIC;
}

// Moves `from` to `to`, which must not exist: for file systems without hard links.
Result<void> rename_to_new(const std::string& from, const std::string& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return {};
  return io_error("name", to);
}

class PosixFile final : public DiskFile {
 public:
  // `name` is where a scratch file lies, empty where it has no name; `title` is for messages.
  PosixFile(Fd fd, std::string title, std::string name, bool hard_links)
      : fd_(std::move(fd)), title_(std::move(title)), name_(std::move(name)), hard_links_(hard_links) {}
  ~PosixFile() override { drop_name(); }

  Result<std::size_t> write(std::uint64_t offset, Bytes bytes) override {
    const ssize_t written = uninterrupted(
        [&] { return ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset)); });
    if (written < 0) return io_error("write", title_);
    // Nothing written and no error: POSIX allows it, no file system means it.
    if (written == 0) return Error(Errc::failed, fmt::format("can't write {}: no progress", title_));
    return static_cast<std::size_t>(written);
  }
  Result<std::size_t> read(std::uint64_t offset, MutableBytes out) const override {
    const ssize_t got =
        uninterrupted([&] { return ::pread(fd_.get(), out.data(), out.size(), static_cast<off_t>(offset)); });
    if (got < 0) return io_error("read", title_);
    return static_cast<std::size_t>(got);
  }
  Result<std::uint64_t> size_bytes() const override {
    struct stat info;
    if (::fstat(fd_.get(), &info) != 0) return io_error("stat", title_);
    return static_cast<std::uint64_t>(info.st_size);
  }
  Result<void> sync() override {
    // Not repeated on EINTR: an fsync that failed in any way is final.
    if (::fsync(fd_.get()) != 0) return io_error("sync", title_);
    return {};
  }
  void start_writeback(std::uint64_t offset, std::uint64_t length) override {
    ::sync_file_range(fd_.get(), static_cast<off_t>(offset), static_cast<off_t>(length),
                      SYNC_FILE_RANGE_WRITE);
  }
  Result<void> link(const std::string& path) override {
    if (!hard_links_ && !name_.empty()) return move_to(path);
    // A nameless file is reached through /proc, as linkat(2) says; AT_EMPTY_PATH needs a capability.
    const std::string from = name_.empty() ? fmt::format("/proc/self/fd/{}", fd_.get()) : name_;
    const int flags = name_.empty() ? AT_SYMLINK_FOLLOW : 0;
    if (::linkat(AT_FDCWD, from.c_str(), AT_FDCWD, path.c_str(), flags) == 0) {
      drop_name();
      return {};
    }
    const bool unsupported = errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS;
    if (unsupported && !name_.empty()) return move_to(path);
    return io_error("name", path);
  }

 private:
  Result<void> move_to(const std::string& path) {
    TRY(rename_to_new(name_, path));
    name_.clear();
    return {};
  }
  void drop_name() {
    if (!name_.empty()) ::unlink(name_.c_str());
    name_.clear();
  }

  Fd fd_;
  std::string title_;
  std::string name_;
  bool hard_links_;
};

}  // namespace

Result<std::unique_ptr<DiskFile>> PosixDisk::scratch(const std::string& directory) {
  const bool nameless = features_.nameless_files && features_.hard_links && syncs_nameless_files(directory);
  if (!nameless) return named_scratch(directory);
  Fd fd(uninterrupted(
      [&] { return ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR); }));
  if (!fd.valid()) {
    // A kernel or file system without O_TMPFILE sees a directory opened for writing.
    if (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL) return named_scratch(directory);
    return io_error("make a file in", directory);
  }
  return std::unique_ptr<DiskFile>(
      new PosixFile(std::move(fd), "a new file in " + directory, {}, /*hard_links=*/true));
}

Result<std::unique_ptr<DiskFile>> PosixDisk::named_scratch(const std::string& directory) {
  const std::string folder = directory + "/" + kScratchFolder;
  if (::mkdir(folder.c_str(), S_IRWXU) != 0 && errno != EEXIST) return io_error("make", folder);
  while (true) {
    const std::string path = folder + "/" + hex(system_random().array<16>());
    Fd fd(uninterrupted(
        [&] { return ::open(path.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR); }));
    if (!fd.valid()) return io_error("make", path);
    // A file system without locks is one where leftovers stay; it is no reason to refuse a backup.
    uninterrupted([&] { return ::flock(fd.get(), LOCK_EX | LOCK_NB); });
    // Between open and flock clear_scratch() may have taken it for a leftover: then make another.
    struct stat info;
    if (::fstat(fd.get(), &info) != 0) return io_error("stat", path);
    if (info.st_nlink == 0) continue;
    return std::unique_ptr<DiskFile>(new PosixFile(std::move(fd), path, path, features_.hard_links));
  }
}

Result<void> PosixDisk::clear_scratch(const std::string& directory) {
  const std::string folder = directory + "/" + kScratchFolder;
  Result<std::vector<std::string>> names = list(folder);
  if (!names.ok()) {
    if (names.error().kind() == Errc::not_found) return {};
    return std::move(names).error();
  }
  for (const std::string& name : names.value()) {
    const std::string path = folder + "/" + name;
    const Fd fd(uninterrupted([&] { return ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW); }));
    if (!fd.valid()) continue;
    if (uninterrupted([&] { return ::flock(fd.get(), LOCK_EX | LOCK_NB); }) == 0) ::unlink(path.c_str());
  }
  return {};
}

Result<std::unique_ptr<DiskFile>> PosixDisk::open(const std::string& path) {
  // O_NONBLOCK: whatever else lies there under that name, a pipe say, must not hold us.
  Fd fd(uninterrupted([&] { return ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW); }));
  if (!fd.valid()) return io_error("open", path);
  struct stat info;
  if (::fstat(fd.get(), &info) != 0) return io_error("stat", path);
  if (!S_ISREG(info.st_mode)) return Error(Errc::not_found, fmt::format("{} is not a file", path));
  return std::unique_ptr<DiskFile>(new PosixFile(std::move(fd), path, {}, /*hard_links=*/true));
}

Result<void> PosixDisk::unlink(const std::string& path) {
  if (::unlink(path.c_str()) != 0) return io_error("remove", path);
  return {};
}

Result<void> PosixDisk::make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), S_IRWXU) != 0) return io_error("make the directory", path);
  return {};
}

Result<void> PosixDisk::sync_directory(const std::string& path) {
  const Fd fd(uninterrupted([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (!fd.valid()) return io_error("open the directory", path);
  if (::fsync(fd.get()) == 0) return {};
  // CIFS and some FUSE file systems have no fsync of directories and write names through.
  if (errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP) return {};
  return io_error("sync the directory", path);
}

Result<std::vector<std::string>> PosixDisk::list(const std::string& path) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(path.c_str()), ::closedir);
  if (!dir) return io_error("list", path);
  std::vector<std::string> names;
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(dir.get());
    if (entry == nullptr) break;
    std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(std::move(name));
  }
  if (errno != 0) return io_error("list", path);
  return names;
}

Result<FileInfo> PosixDisk::stat(const std::string& path) {
  struct stat info;
  if (::lstat(path.c_str(), &info) != 0) return io_error("stat", path);
  return FileInfo{type_of(info.st_mode), static_cast<std::uint64_t>(info.st_size)};
}

}  // namespace holdfast::storage
