#include "source/metadata.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <grp.h>
#include <pwd.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <optional>

namespace holdfast::source {

namespace {

// Calls `get(buffer, size)`, a getter in the manner of lgetxattr, until its answer fits into `out`. 0 or
// errno.
template <typename Get>
int read_all(Get get, std::string& out) {
  out.resize(256);
  while (true) {
    const ssize_t got = get(out.data(), out.size());
    if (got >= 0) {
      out.resize(static_cast<std::size_t>(got));
      return 0;
    }
    if (errno != ERANGE) return errno;
    const ssize_t needed = get(nullptr, 0);
    if (needed < 0) return errno;
    out.resize(static_cast<std::size_t>(needed) + 256);  // it may grow between the calls
  }
}

bool none_there(int failure) { return failure == ENODATA || failure == ENOTSUP; }

// listxattrat(2), Linux 6.13, the same number on all architectures that we build for. Most files have no
// xattrs, and to learn that in one short call is worth it; the older way looks up the magic link as well.
bool has_no_xattrs(int directory, const std::string& name) {
  static std::atomic<bool> is_there = true;
  constexpr long kListxattrat = 465;
  if (!is_there) return false;
  const long got = ::syscall(kListxattrat, directory, name.c_str(), AT_SYMLINK_NOFOLLOW, nullptr, 0);
  if (got < 0 && (errno == ENOSYS || errno == EPERM))
    is_there = false;  // EPERM: seccomp filters of containers
  return got == 0 || (got < 0 && none_there(errno));
}

}  // namespace

Result<void> read_xattrs(int directory, const std::string& name, const std::string& path,
                         std::vector<model::Xattr>& out) {
  out.clear();
  if (has_no_xattrs(directory, name)) return {};
  // The directory's magic link, so that no part of the path but the last is looked up again.
  std::string place = fmt::format("/proc/self/fd/{}/{}", directory, name);
  ssize_t probe = ::llistxattr(place.c_str(), nullptr, 0);
  if (probe < 0 && errno == ENOENT) {
    place = path;
    probe = ::llistxattr(place.c_str(), nullptr, 0);
  }
  if (probe == 0 || (probe < 0 && none_there(errno))) return {};
  if (probe < 0) return errno_error(errno, "list xattrs of " + path);

  std::string names;
  const auto list = [&](char* buffer, std::size_t size) { return ::llistxattr(place.c_str(), buffer, size); };
  if (const int failure = read_all(list, names); failure != 0)
    return errno_error(failure, "list xattrs of " + path);
  std::optional<Error> first;
  for (std::size_t at = 0; at < names.size(); at = names.find('\0', at) + 1) {
    model::Xattr xattr{names.c_str() + at, {}};
    // What xfs shows of a POSIX ACL besides the ACL, in a form of its own.
    if (xattr.name.starts_with("trusted.SGI_ACL_")) continue;
    const auto get = [&](char* buffer, std::size_t size) {
      return ::lgetxattr(place.c_str(), xattr.name.c_str(), buffer, size);
    };
    const int failure = read_all(get, xattr.value);
    if (failure == 0) {
      out.push_back(std::move(xattr));
    } else if (!none_there(failure) && !first) {
      first = errno_error(failure, fmt::format("read xattr {} of {}", xattr.name, path));
    }
  }
  std::sort(out.begin(), out.end());
  if (first) return std::move(*first);
  return {};
}

namespace {

// `ask(buffer, size, &found)` in the manner of getpwuid_r; returns the entry's name or "".
template <typename Record, typename Ask>
std::string name_by_number(Ask ask, char* Record::*name) {
  std::string buffer(1024, '\0');
  Record record{};
  Record* found = nullptr;
  while (ask(&record, buffer.data(), buffer.size(), &found) == ERANGE && buffer.size() < (1u << 20)) {
    buffer.resize(buffer.size() * 4);
  }
  return found == nullptr ? std::string() : std::string(found->*name);
}

}  // namespace

std::string Names::user(std::uint32_t uid) {
  const std::lock_guard lock(mutex_);
  const auto [at, is_new] = users_.try_emplace(uid);
  if (is_new) {
    at->second =
        name_by_number<passwd>([&](auto... rest) { return ::getpwuid_r(uid, rest...); }, &passwd::pw_name);
  }
  return at->second;
}

std::string Names::group(std::uint32_t gid) {
  const std::lock_guard lock(mutex_);
  const auto [at, is_new] = groups_.try_emplace(gid);
  if (is_new) {
    at->second =
        name_by_number<::group>([&](auto... rest) { return ::getgrgid_r(gid, rest...); }, &::group::gr_name);
  }
  return at->second;
}

}  // namespace holdfast::source
