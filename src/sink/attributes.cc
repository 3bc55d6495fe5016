#include "sink/attributes.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <cerrno>
#include <cstdio>

namespace holdfast::sink {

namespace {

constexpr std::string_view kAclPrefix = "system.posix_acl_";
constexpr mode_t kSetId = S_ISUID | S_ISGID;

// umask(2) can only be read by changing it, which other threads would notice.
mode_t current_umask() {
  unsigned mask = 0777;  // unknown: every mode is set explicitly
  if (FILE* status = std::fopen("/proc/self/status", "re")) {
    std::array<char, 256> line;
    while (std::fgets(line.data(), static_cast<int>(line.size()), status) != nullptr) {
      if (std::sscanf(line.data(), "Umask: %o", &mask) == 1) break;
    }
    std::fclose(status);
  }
  return mask;
}

// The magic link of a descriptor leads to the object itself, also where that is a symbolic link, which is not
// followed then.
std::string place_of(const Object& object) { return fmt::format("/proc/self/fd/{}", object.fd); }

template <typename Record, typename Id, typename Ask>
std::optional<Id> number_by_name(Ask ask, Id Record::*id) {
  std::string buffer(1024, '\0');
  Record record{};
  Record* found = nullptr;
  while (ask(&record, buffer.data(), buffer.size(), &found) == ERANGE && buffer.size() < (1u << 20)) {
    buffer.resize(buffer.size() * 4);
  }
  if (found == nullptr) return std::nullopt;
  return found->*id;
}

model::Time mtime_of(const struct stat& st) {
  return {st.st_mtim.tv_sec, static_cast<std::uint32_t>(st.st_mtim.tv_nsec)};
}

}  // namespace

Attributes::Attributes(const DirectoryOptions& options)
    : options_(options), self_{::geteuid(), ::getegid()}, umask_(current_umask()) {}

void Attributes::warn(const model::Entry& entry, std::string what, int failure) {
  options_.warn({entry.path, what, errno_error(failure, fmt::format("set {} of {}", what, entry.path))});
}

// Set without an error, and yet it isn't so.
void Attributes::lost(const model::Entry& entry, std::string what) {
  Error error(Errc::unsupported, fmt::format("{}: the target can't hold its {}", entry.path, what));
  options_.warn({entry.path, std::move(what), std::move(error)});
}

Attributes::Owner Attributes::owner_of(const model::Attributes& attributes) {
  Owner owner{attributes.uid, attributes.gid};
  if (options_.numeric_owner) return owner;
  const std::lock_guard lock(mutex_);
  if (!attributes.user.empty()) {
    const auto [at, is_new] = users_.try_emplace(attributes.user);
    if (is_new) {
      at->second = number_by_name(
          [&](auto... rest) { return ::getpwnam_r(attributes.user.c_str(), rest...); }, &passwd::pw_uid);
    }
    owner.uid = at->second.value_or(owner.uid);
  }
  if (!attributes.group.empty()) {
    const auto [at, is_new] = groups_.try_emplace(attributes.group);
    if (is_new) {
      at->second = number_by_name(
          [&](auto... rest) { return ::getgrnam_r(attributes.group.c_str(), rest...); }, &::group::gr_gid);
    }
    owner.gid = at->second.value_or(owner.gid);
  }
  return owner;
}

mode_t Attributes::creation_mode(const model::Entry& entry) const {
  const model::Attributes& attributes = entry.attributes;
  // By number is enough here: should names lead elsewhere, set() finds out.
  const bool mine = attributes.uid == self_.uid && attributes.gid == self_.gid;
  if (!mine || careful_ || !attributes.xattrs.empty()) return 0600;
  return attributes.mode & 0777;
}

void Attributes::set(const Object& object, const model::Entry& entry, int made_with) {
  const model::Attributes& attributes = entry.attributes;
  const bool is_link = attributes.type == model::FileType::symlink;
  const bool assume = made_with >= 0 && !careful_;
  const Owner owner = owner_of(attributes);
  mode_t mode = attributes.mode;
  set_flags(object, entry, assume);
  set_project(object, entry, assume);
  bool owned = true;
  if (!assume || owner != self_) {
    owned = set_owner(object, entry, owner);
    if (!owned && (mode & kSetId) != 0) {
      // Somebody else's suid program must not become one of ours.
      mode &= ~kSetId;
      warn(entry, "mode", EPERM);
    }
  }
  // Xattrs come after the owner, a change of which drops security.capability; and before the mode, which may
  // forbid them.
  const bool inherited_acls = careful_ && !is_link && attributes.type != model::FileType::socket;
  if (!attributes.xattrs.empty() || made_with < 0 || inherited_acls) set_xattrs(object, entry, false);
  bool moded = !is_link;
  if (!is_link && (!assume || owner != self_ || (static_cast<mode_t>(made_with) & ~umask_) != mode)) {
    moded = set_mode(object, entry, mode);
  }
  if (!attributes.xattrs.empty()) set_xattrs(object, entry, true);
  const bool timed = set_times(object, entry);
  // File systems round times, ignore modes and owners, or give up sgid without a word.
  struct stat st;
  if (::fstat(object.fd, &st) != 0) return warn(entry, "times", errno);
  if (owned && Owner{st.st_uid, st.st_gid} != owner) lost(entry, "owner");
  if (moded && (st.st_mode & 07777) != mode) lost(entry, "mode");
  if (timed && mtime_of(st) != entry.mtime) lost(entry, "times");
  lock(object, entry);
}

void Attributes::put_back(const Object& object, const model::Entry& was) {
  struct stat st;
  if (::fstat(object.fd, &st) != 0) return warn(was, "mode", errno);
  // Nothing of an object that wasn't touched, not even its ctime.
  if ((st.st_mode & 07777) != was.attributes.mode) set_mode(object, was, was.attributes.mode);
  if (mtime_of(st) != was.mtime) set_times(object, was);
  lock(object, was);
}

bool Attributes::set_owner(const Object& object, const model::Entry& entry, Owner owner) {
  const auto change = [&](uid_t uid, gid_t gid) {
    return object.is_path ? ::fchownat(object.fd, "", uid, gid, AT_EMPTY_PATH)
                          : ::fchown(object.fd, uid, gid);
  };
  if (change(owner.uid, owner.gid) == 0) return true;
  const int failure = errno;
  // One's own group may be set by anybody.
  static_cast<void>(change(static_cast<uid_t>(-1), owner.gid));
  warn(entry, "owner", failure);
  return false;
}

bool Attributes::set_mode(const Object& object, const model::Entry& entry, mode_t mode) {
  const int result = object.is_path ? ::chmod(place_of(object).c_str(), mode) : ::fchmod(object.fd, mode);
  if (result != 0) warn(entry, "mode", errno);
  return result == 0;
}

namespace {

// The names of the xattrs, as listxattr gives them; "" where there are none.
std::string xattr_names(const Object& object, const std::string& place) {
  const auto list = [&](char* out, std::size_t size) {
    return object.is_path ? ::listxattr(place.c_str(), out, size) : ::flistxattr(object.fd, out, size);
  };
  const ssize_t size = list(nullptr, 0);
  if (size <= 0) return {};
  std::string names(static_cast<std::size_t>(size), '\0');
  const ssize_t got = list(names.data(), names.size());
  names.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  return names;
}

bool has(const std::vector<model::Xattr>& xattrs, std::string_view name) {
  return std::any_of(xattrs.begin(), xattrs.end(), [&](const model::Xattr& x) { return x.name == name; });
}

}  // namespace

// ACLs or all the others. With the others, what the object has and the entry has not is removed.
void Attributes::set_xattrs(const Object& object, const model::Entry& entry, bool acls) {
  const std::string place = place_of(object);
  const std::vector<model::Xattr>& wanted = entry.attributes.xattrs;
  if (!acls) {
    const std::string names = xattr_names(object, place);
    for (std::size_t at = 0; at < names.size(); at = names.find('\0', at) + 1) {
      const char* name = names.c_str() + at;
      // Labels of a security module are the system's to give and can't be taken away.
      if (has(wanted, name) || std::string_view(name) == "security.selinux") continue;
      if (std::string_view(name).starts_with("trusted.SGI_ACL_")) continue;  // xfs: the ACL once more
      const int result =
          object.is_path ? ::removexattr(place.c_str(), name) : ::fremovexattr(object.fd, name);
      if (result != 0 && errno != ENODATA) warn(entry, fmt::format("xattr {}", name), errno);
    }
  }
  for (const model::Xattr& xattr : wanted) {
    if (xattr.name.starts_with(kAclPrefix) != acls) continue;
    const int result =
        object.is_path
            ? ::setxattr(place.c_str(), xattr.name.c_str(), xattr.value.data(), xattr.value.size(), 0)
            : ::fsetxattr(object.fd, xattr.name.c_str(), xattr.value.data(), xattr.value.size(), 0);
    if (result != 0) warn(entry, "xattr " + xattr.name, errno);
  }
}

bool Attributes::set_times(const Object& object, const model::Entry& entry) {
  const timespec times[2] = {{0, UTIME_OMIT},
                             {entry.mtime.seconds, static_cast<long>(entry.mtime.nanoseconds)}};
  // An empty path would do, but only since Linux 5.8.
  const int result = object.is_path ? ::utimensat(AT_FDCWD, place_of(object).c_str(), times, 0)
                                    : ::futimens(object.fd, times);
  if (result != 0) warn(entry, "times", errno);
  return result == 0;
}

}  // namespace holdfast::sink
