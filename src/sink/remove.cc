#include "sink/remove.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/fd.h"
#include "base/names_in.h"
#include "sink/attributes.h"

namespace holdfast::sink {

namespace {

constexpr int kOpenDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

bool unlinked(int directory, const std::string& name, int flags) {
  if (::unlinkat(directory, name.c_str(), flags) == 0 || errno == ENOENT) return true;
  // Immutable or append-only: no longer, where it is to go.
  if (errno != EPERM) return false;
  const auto unlocked = Attributes::unlock(directory, name.c_str());
  if (!unlocked) return false;
  const bool gone = ::unlinkat(directory, name.c_str(), flags) == 0;
  struct stat st;
  const bool elsewhere =
      gone && ::fstat(unlocked->fd.get(), &st) == 0 && st.st_nlink > 0 && !S_ISDIR(st.st_mode);
  if (elsewhere) Attributes::relock(*unlocked);
  return gone;
}

using Identity = std::pair<dev_t, ino_t>;

struct Level {
  Identity identity;
  std::vector<std::string> names;  // still to be removed; the last one first
};

Result<Identity> identity_of(int fd, const std::string& path) {
  struct stat st;
  if (::fstat(fd, &st) != 0) return errno_error(errno, "remove " + path);
  return Identity(st.st_dev, st.st_ino);
}

Result<Fd> step_up(int from, const Identity& expected, const std::string& path) {
  Fd up(::openat(from, "..", kOpenDirectory));
  if (!up.valid()) return errno_error(errno, "remove " + path);
  const Identity found = TRY(identity_of(up.get(), path));
  if (found != expected) {
    return Error(Errc::failed, "remove " + path + ": it is being moved about");
  }
  return up;
}

}  // namespace

// Depth first, with one descriptor however deep it goes: the way back is "..", of which it is made sure that
// it still is the directory we came from, should somebody move things about meanwhile.
Result<void> remove_tree(int directory, const std::string& name, const std::string& path) {
  if (unlinked(directory, name, 0)) return {};
  if (errno != EISDIR && errno != EPERM) return errno_error(errno, "remove " + path);

  std::vector<Level> levels;
  Fd at(::fcntl(directory, F_DUPFD_CLOEXEC, 0));
  if (!at.valid()) return errno_error(errno, "remove " + path);
  const Identity top = TRY(identity_of(at.get(), path));
  levels.push_back({top, {name}});
  while (!levels.empty()) {
    if (levels.back().names.empty()) {
      levels.pop_back();
      if (levels.empty()) break;
      at = TRY(step_up(at.get(), levels.back().identity, path));
      if (!unlinked(at.get(), levels.back().names.back(), AT_REMOVEDIR))
        return errno_error(errno, "remove " + path);
      levels.back().names.pop_back();
      continue;
    }
    const std::string& child = levels.back().names.back();
    if (unlinked(at.get(), child, 0)) {
      levels.back().names.pop_back();
      continue;
    }
    if (errno != EISDIR && errno != EPERM) return errno_error(errno, "remove " + path + " (" + child + ")");
    static_cast<void>(Attributes::unlock(at.get(), child.c_str()));  // else nothing could be removed from it
    Fd below(::openat(at.get(), child.c_str(), kOpenDirectory));
    if (!below.valid()) return errno_error(errno, "remove " + path + " (" + child + ")");
    at = std::move(below);
    const Identity identity = TRY(identity_of(at.get(), path));
    std::vector<std::string> names = TRY(names_in(at.get()));
    levels.push_back({identity, std::move(names)});
  }
  return {};
}

}  // namespace holdfast::sink
