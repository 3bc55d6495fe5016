// Flags of chattr(1), and projects.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <cerrno>

#include "base/inode_flags.h"
#include "base/open_beneath.h"
#include "model/flags.h"
#include "sink/attributes.h"

namespace holdfast::sink {

namespace {

constexpr std::uint32_t kLocks = model::kFlagImmutable | model::kFlagAppendOnly;
// These change how content or names are laid out, so they can only be set while there are none.
constexpr std::uint32_t kFirst = model::kFlagNoCow | model::kFlagCompressed | model::kFlagUncompressed;

bool can_be_opened(const model::Entry& entry) {
  return entry.attributes.type == model::FileType::regular ||
         entry.attributes.type == model::FileType::directory;
}

}  // namespace

void Attributes::prepare(int fd, const model::Entry& entry) {
  const bool directory = entry.attributes.type == model::FileType::directory;
  const std::uint32_t wanted = entry.attributes.flags & (directory ? model::kFlagCasefold : kFirst);
  std::uint32_t there = 0;
  // What fails here is tried again by set(), and told by it.
  if (wanted != 0 && get_inode_flags(fd, there) == 0) set_inode_flags(fd, there | wanted);
}

// All but the locks; one that is there is taken away, since it would forbid what comes next.
void Attributes::set_flags(const Object& object, const model::Entry& entry, bool assume) {
  const std::uint32_t kept = entry.attributes.flags & model::kept_flags();
  const std::uint32_t wanted = kept & ~kLocks;
  if (!can_be_opened(entry) || (assume && wanted == 0)) return;
  std::uint32_t there = 0;
  const int failure = object.is_path ? EACCES : get_inode_flags(object.fd, there);
  if (failure == 0) return change_flags(object.fd, entry, there, model::flags_over(there, wanted));
  if (wanted != 0) warn(entry, "flags " + model::flags_text(wanted), failure);
}

void Attributes::change_flags(int fd, const model::Entry& entry, std::uint32_t there, std::uint32_t wanted) {
  if (there == wanted) return;
  int failure = set_inode_flags(fd, wanted);
  if (failure != 0) {
    // One that the file system doesn't know keeps no other from being set.
    for (std::uint32_t bit = 1; bit != 0; bit <<= 1) {
      const std::uint32_t next = there ^ (bit & (there ^ wanted));
      if (next == there) continue;
      const int one = set_inode_flags(fd, next);
      if (one == 0) {
        there = next;
      } else {
        failure = one;
      }
    }
  }
  std::uint32_t now = 0;
  if (const int unread = get_inode_flags(fd, now); unread != 0) failure = unread;
  const std::uint32_t wrong = (now ^ wanted) & model::kept_flags();
  if (wrong != 0) warn(entry, "flags " + model::flags_text(wrong), failure != 0 ? failure : EOPNOTSUPP);
}

void Attributes::lock(const Object& object, const model::Entry& entry) {
  const std::uint32_t locks = entry.attributes.flags & kLocks;
  if (locks == 0 || !can_be_opened(entry)) return;
  std::uint32_t there = 0;
  const int failure = object.is_path ? EACCES : get_inode_flags(object.fd, there);
  if (failure != 0) return warn(entry, "flags " + model::flags_text(locks), failure);
  // The other flags are as they can be, and told where they are not.
  const std::uint32_t wanted = there | locks;
  if (wanted == there) return;
  const int set = set_inode_flags(object.fd, wanted);
  if (set != 0) return warn(entry, "flags " + model::flags_text(locks), set);
  // btrfs forgets which algorithm compresses a file whenever its flags are set.
  constexpr const char* kAlgorithm = "btrfs.compression";
  for (const model::Xattr& xattr : entry.attributes.xattrs) {
    if (xattr.name != kAlgorithm) continue;
    std::string now(xattr.value.size() + 16, '\0');
    const ssize_t got = ::fgetxattr(object.fd, kAlgorithm, now.data(), now.size());
    now.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    if (now != xattr.value) lost(entry, "xattr btrfs.compression");
  }
}

std::optional<Attributes::Unlocked> Attributes::unlock(int directory, const char* name) {
  const int before = errno;
  constexpr int kFlags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  struct stat st;
  const bool can_have_some = ::fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                             (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
  Unlocked unlocked;
  if (can_have_some) unlocked.fd = open_beneath(directory, name, kFlags);
  const bool done = unlocked.fd.valid() && get_inode_flags(unlocked.fd.get(), unlocked.flags) == 0 &&
                    (unlocked.flags & kLocks) != 0 &&
                    set_inode_flags(unlocked.fd.get(), unlocked.flags & ~kLocks) == 0;
  errno = before;
  return done ? std::optional(std::move(unlocked)) : std::nullopt;
}

void Attributes::relock(const Unlocked& unlocked) {
  const int before = errno;
  static_cast<void>(set_inode_flags(unlocked.fd.get(), unlocked.flags));
  errno = before;
}

void Attributes::set_project(const Object& object, const model::Entry& entry, bool assume) {
  const std::uint32_t wanted = entry.attributes.project;
  if (assume && wanted == 0) return;
  std::uint32_t there = 0;
  int failure = object.is_path ? get_project_at(object.fd, "", there) : get_project(object.fd, there);
  if (failure == 0 && there == wanted) return;
  if (failure == 0) {
    failure =
        object.is_path ? set_project_at(object.fd, "", wanted) : holdfast::set_project(object.fd, wanted);
  }
  if (failure == 0 && !object.is_path && get_project(object.fd, there) == 0 && there != wanted)
    failure = EOPNOTSUPP;
  // Where there are no projects, none is what there should be.
  if (failure != 0 && (wanted != 0 || there != 0)) warn(entry, "project", failure);
}

}  // namespace holdfast::sink
