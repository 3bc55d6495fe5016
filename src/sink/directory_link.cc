// Hard links.
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/open_beneath.h"
#include "sink/directory.h"

namespace holdfast::sink {

namespace {

constexpr int kOpenFile = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;

}  // namespace

Result<bool> DirectorySink::link(const model::Entry& entry, std::string_view first) {
  const Place from = TRY(place(first));
  const Place to = TRY(place(entry.path));
  const auto link_plainly = [&] {
    return ::linkat(from.directory->get(), from.name.c_str(), to.directory->get(), to.name.c_str(), 0) == 0;
  };
  // One that is immutable or append-only can't get another name while it is.
  const auto link_now = [&] {
    if (link_plainly()) return true;
    if (errno != EPERM || !Attributes::unlock(from.directory->get(), from.name.c_str())) return false;
    const bool linked = link_plainly();
    const int failure = errno;
    const Fd fd = open_beneath(from.directory->get(), from.name.c_str(), kOpenFile);
    attributes_.lock({fd.get(), false}, entry);
    errno = failure;
    return linked;
  };
  const auto failed = [&]() -> Result<bool> {
    if (errno == EMLINK) return false;
    return errno_error(errno, fmt::format("link {} to {}", entry.path, first));
  };
  if (link_now()) return true;
  if (errno != EEXIST) return failed();
  struct stat a;
  struct stat b;
  if (::fstatat(from.directory->get(), from.name.c_str(), &a, AT_SYMLINK_NOFOLLOW) == 0 &&
      ::fstatat(to.directory->get(), to.name.c_str(), &b, AT_SYMLINK_NOFOLLOW) == 0 && a.st_ino == b.st_ino &&
      a.st_dev == b.st_dev) {
    return true;
  }
  TRY(clear(to, entry.path));
  return link_now() ? Result<bool>(true) : failed();
}

}  // namespace holdfast::sink
