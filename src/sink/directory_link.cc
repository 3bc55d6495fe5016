// Hard links.
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>

#include <cerrno>

#include "sink/directory.h"

namespace holdfast::sink {

Result<bool> DirectorySink::link(const model::Entry& entry, std::string_view first) {
  const Place from = TRY(place(first));
  const Place to = TRY(place(entry.path));
  const auto link_plainly = [&] {
    return ::linkat(from.directory->get(), from.name.c_str(), to.directory->get(), to.name.c_str(), 0) == 0;
  };
  // One that is immutable or append-only can't get another name while it is.
  const auto link_now = [&] {
    if (link_plainly()) return true;
    if (errno != EPERM) return false;
    const auto unlocked = Attributes::unlock(from.directory->get(), from.name.c_str());
    if (!unlocked) return false;
    const bool linked = link_plainly();
    Attributes::relock(*unlocked);
    return linked;
  };
  const auto failed = [&]() -> Result<bool> {
    // No more names, or none at all in this file system.
    if (errno == EMLINK || errno == EPERM || errno == EOPNOTSUPP) return false;
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
