// A disk for a loop device that writes down what a file system does to it: one file of a FUSE mount, whose
// writes, flushes and discards go into a log in the order of their completion.
//
//   block_recorder IMAGE LOG FOLDER MACHINE
//       serves FOLDER/disk with IMAGE behind it until FOLDER is unmounted
//
// MACHINE is a folder on another disk, which survives: its files are noted at each flush at which they have
// changed. What is written to FOLDER/mark goes into the log as well: notes of what had been promised by then.
// One thread answers, so that a request is logged only when all before it are answered.
// LOG: per event kind, offset and length (8 bytes each, of this machine's order), then the bytes of a write
// or mark, or the machine's files: of each the length of its name, its name below MACHINE, its length, its
// bytes.
#define FUSE_USE_VERSION 314
#include <fcntl.h>
#include <fuse.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

namespace {

constexpr std::string_view kDisk = "/disk";
constexpr std::string_view kMark = "/mark";

enum class Kind : std::uint64_t { write = 1, flush = 2, discard = 3, mark = 4, machine = 5 };

struct Event {
  Kind kind;
  std::uint64_t offset;
  std::uint64_t length;
};

int image = -1;
int log_file = -1;
std::string machine;        // the folder
std::string machine_files;  // as last noted

// A log with a gap would show states that never were: better none.
void note(const Event& event, const char* bytes) {
  const std::size_t length = bytes == nullptr ? 0 : event.length;
  iovec parts[2] = {{const_cast<Event*>(&event), sizeof event}, {const_cast<char*>(bytes), length}};
  const std::size_t whole = parts[0].iov_len + parts[1].iov_len;
  if (::writev(log_file, parts, 2) == static_cast<ssize_t>(whole)) return;
  std::perror("block_recorder: can't write the log");
  std::_Exit(1);
}

void append(std::string& to, const std::string& bytes) {
  const std::uint64_t length = bytes.size();
  to.append(reinterpret_cast<const char*>(&length), sizeof length);
  to += bytes;
}

// Whoever is at work there goes on; a file that comes or goes meanwhile is there or not, as after a crash.
std::string files_of_machine() {
  namespace fs = std::filesystem;
  std::string all;
  std::error_code error;
  for (fs::recursive_directory_iterator at(machine, error), end; !error && at != end; at.increment(error)) {
    if (!at->is_regular_file(error)) continue;
    std::ifstream file(at->path(), std::ios::binary);
    if (!file) continue;
    append(all, fs::relative(at->path(), machine, error).string());
    append(all, std::string(std::istreambuf_iterator<char>(file), {}));
  }
  return all;
}

void note_machine() {
  std::string files = files_of_machine();
  if (files == machine_files) return;
  machine_files = std::move(files);
  note({Kind::machine, 0, machine_files.size()}, machine_files.data());
}

int get_attributes(const char* path, struct stat* out, fuse_file_info*) {
  *out = {};
  out->st_nlink = 1;
  if (std::string_view("/") == path) {
    out->st_mode = S_IFDIR | S_IRWXU;
    return 0;
  }
  out->st_mode = S_IFREG | S_IRUSR | S_IWUSR;
  if (kMark == path) return 0;
  if (kDisk != path) return -ENOENT;
  struct stat info;
  if (::fstat(image, &info) != 0) return -errno;
  out->st_size = info.st_size;
  return 0;
}

int open_file(const char* path, fuse_file_info* info) {
  if (kDisk != path && kMark != path) return -ENOENT;
  info->direct_io = 1;  // every write arrives as it was made
  return 0;
}

int truncate_file(const char* path, off_t, fuse_file_info*) { return kMark == path ? 0 : -EPERM; }

int read_file(const char* path, char* out, std::size_t size, off_t offset, fuse_file_info*) {
  if (kDisk != path) return 0;
  const ssize_t got = ::pread(image, out, size, offset);
  return got < 0 ? -errno : static_cast<int>(got);
}

int write_file(const char* path, const char* bytes, std::size_t size, off_t offset, fuse_file_info*) {
  const Kind kind = kMark == path ? Kind::mark : Kind::write;
  if (kind == Kind::write && ::pwrite(image, bytes, size, offset) != static_cast<ssize_t>(size)) return -EIO;
  note({kind, static_cast<std::uint64_t>(offset), size}, bytes);
  return static_cast<int>(size);
}

int sync_file(const char* path, int, fuse_file_info*) {
  if (kDisk != path) return 0;
  note_machine();
  note({Kind::flush, 0, 0}, nullptr);
  return 0;
}

// Discarded blocks read as zeros here.
int allocate(const char* path, int mode, off_t offset, off_t length, fuse_file_info*) {
  if (kDisk != path || (mode & FALLOC_FL_KEEP_SIZE) == 0) return -EOPNOTSUPP;
  if ((mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) == 0) return -EOPNOTSUPP;
  if (::fallocate(image, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length) != 0) return -errno;
  note({Kind::discard, static_cast<std::uint64_t>(offset), static_cast<std::uint64_t>(length)}, nullptr);
  return 0;
}

fuse_operations operations() {
  fuse_operations all = {};
  all.getattr = get_attributes;
  all.open = open_file;
  all.truncate = truncate_file;
  all.read = read_file;
  all.write = write_file;
  all.fsync = sync_file;
  all.fallocate = allocate;
  return all;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  image = ::open(argv[1], O_RDWR | O_CLOEXEC);
  log_file = ::open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (image < 0 || log_file < 0) {
    std::perror("block_recorder");
    return 1;
  }
  machine = argv[4];
  char single[] = "-s", foreground[] = "-f";
  char* words[] = {argv[0], single, foreground, argv[3], nullptr};
  const fuse_operations all = operations();
  return fuse_main(4, words, &all, nullptr);
}
