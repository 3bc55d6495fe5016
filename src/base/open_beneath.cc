#include "base/open_beneath.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <climits>
#include <string>
#include <string_view>

namespace holdfast {

namespace {

long openat2(int directory, const char* path, std::uint64_t flags, mode_t mode, std::uint64_t resolve) {
  open_how how{};
  how.flags = flags;
  how.mode = mode;
  how.resolve = resolve;
  return ::syscall(SYS_openat2, directory, path, &how, sizeof how);
}

Fd no_fd(int failure) {
  errno = failure;
  return Fd();
}

}  // namespace

bool kernel_resolves_beneath() {
  // "/" can't be refused to anybody for a reason of its own: so EPERM is a filter's, and not a file's.
  static const bool is_there = [] {
    const Fd top(static_cast<int>(openat2(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC, 0,
                                          RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)));
    return top.valid();
  }();
  return is_there;
}

OpenedName opened_name(int fd, std::string_view name) {
  std::array<char, PATH_MAX> path;
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t length = ::readlink(link.c_str(), path.data(), path.size());
  if (length < 0 || static_cast<std::size_t>(length) == path.size()) return OpenedName::unknown;
  const std::string_view found(path.data(), static_cast<std::size_t>(length));
  if (!found.ends_with(" (deleted)")) return OpenedName::there;  // what the kernel appends (proc(5))
  // A name that ends so by itself, or what it was before somebody moved and removed it.
  return found.substr(found.rfind('/') + 1) == name ? OpenedName::unknown : OpenedName::gone;
}

Fd open_by_components(int directory, const char* path, int flags, mode_t mode) {
  const std::string_view whole(path);
  if (whole.empty()) return no_fd(ENOENT);
  if (whole.front() == '/') return no_fd(EXDEV);
  Fd at;
  std::string name;
  for (std::size_t begin = 0;;) {
    const std::size_t end = std::min(whole.find('/', begin), whole.size());
    name.assign(whole.substr(begin, end - begin));
    if (name == "..") return no_fd(EXDEV);
    if (name.empty()) name = ".";
    const int from = at.valid() ? at.get() : directory;
    if (end == whole.size()) return Fd(::openat(from, name.c_str(), flags | O_NOFOLLOW, mode));
    Fd next(::openat(from, name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!next.valid()) return next;
    at = std::move(next);
    begin = end + 1;
  }
}

Fd open_beneath(int directory, const char* path, int flags, mode_t mode) {
  if (!kernel_resolves_beneath()) return open_by_components(directory, path, flags, mode);
  // What we open has no "..", so there is no EAGAIN, which is for it where the tree was changed meanwhile.
  return Fd(static_cast<int>(openat2(directory, path, static_cast<unsigned>(flags | O_NOFOLLOW), mode,
                                     RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)));
}

}  // namespace holdfast
