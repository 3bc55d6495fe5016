#include "base/inode_flags.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace holdfast {

namespace {

// file_getattr(2) and file_setattr(2), the same numbers on all architectures that we build for; with the
// structure that they take.
constexpr long kFileGetattr = 468;
constexpr long kFileSetattr = 469;

struct FileAttr {
  std::uint64_t xflags;
  std::uint32_t extsize;
  std::uint32_t nextents;
  std::uint32_t projid;
  std::uint32_t cowextsize;
};

// A place for the system call: the magic link of a descriptor leads to the object itself, whatever it is. (An
// empty path with AT_EMPTY_PATH would refuse descriptors of O_PATH.)
struct Where {
  int directory;
  std::string name;
  unsigned flags;
};

Where where_is(int directory, const char* name) {
  if (*name == '\0') return {AT_FDCWD, "/proc/self/fd/" + std::to_string(directory), 0};
  return {directory, name, AT_SYMLINK_NOFOLLOW};
}

int get_at(const Where& where, FileAttr& out) {
  out = {};
  const long got =
      ::syscall(kFileGetattr, where.directory, where.name.c_str(), &out, sizeof(out), where.flags);
  return got == 0 ? 0 : errno;
}

}  // namespace

// The request's type says long, but it is an int that is read and written.
int get_inode_flags(int fd, std::uint32_t& flags) {
  unsigned found = 0;
  if (::ioctl(fd, FS_IOC_GETFLAGS, &found) != 0) return errno;
  flags = found;
  return 0;
}

int set_inode_flags(int fd, std::uint32_t flags) {
  const unsigned wanted = flags;
  return ::ioctl(fd, FS_IOC_SETFLAGS, &wanted) == 0 ? 0 : errno;
}

int get_project(int fd, std::uint32_t& project) {
  fsxattr attributes{};
  if (::ioctl(fd, FS_IOC_FSGETXATTR, &attributes) != 0) return errno;
  project = attributes.fsx_projid;
  return 0;
}

int set_project(int fd, std::uint32_t project) {
  fsxattr attributes{};
  if (::ioctl(fd, FS_IOC_FSGETXATTR, &attributes) != 0) return errno;
  attributes.fsx_projid = project;
  return ::ioctl(fd, FS_IOC_FSSETXATTR, &attributes) == 0 ? 0 : errno;
}

int get_project_at(int directory, const char* name, std::uint32_t& project) {
  FileAttr attributes;
  const int failure = get_at(where_is(directory, name), attributes);
  if (failure == 0) project = attributes.projid;
  return failure;
}

int set_project_at(int directory, const char* name, std::uint32_t project) {
  const Where where = where_is(directory, name);
  FileAttr attributes;
  if (const int failure = get_at(where, attributes); failure != 0) return failure;
  attributes.projid = project;
  const long set = ::syscall(kFileSetattr, where.directory, where.name.c_str(), &attributes,
                             sizeof(attributes), where.flags);
  return set == 0 ? 0 : errno;
}

bool not_there(int failure) {
  return failure == ENOTTY || failure == EOPNOTSUPP || failure == ENOSYS || failure == EINVAL;
}

}  // namespace holdfast
