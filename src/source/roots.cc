#include "source/roots.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "model/entry.h"

namespace holdfast::source {

namespace {

bool is_below(std::string_view path, std::string_view top) {
  return top.empty() || (path.starts_with(top) && path.size() > top.size() && path[top.size()] == '/');
}

Result<std::string> normalised(const std::string& given) {
  if (given.empty()) return Error(Errc::usage, "an empty path can't be backed up");
  std::error_code failure;
  const auto absolute = std::filesystem::absolute(given, failure);
  if (failure) return errno_error(failure.value(), "find the current directory");
  std::string path = absolute.lexically_normal().string();
  path.erase(0, path.find_first_not_of('/'));
  while (path.ends_with('/')) path.pop_back();
  return path;
}

}  // namespace

Result<Roots> Roots::examine(const std::vector<std::string>& paths) {
  if (paths.empty()) return Error(Errc::usage, "nothing to back up: no path given");
  Roots out;
  for (const std::string& given : paths) {
    Root root;
    root.path = TRY(normalised(given));
    const std::string absolute = "/" + root.path;
    struct statx stx;
    constexpr int kFlags = AT_SYMLINK_NOFOLLOW;
    if (::statx(AT_FDCWD, absolute.c_str(), kFlags, STATX_BASIC_STATS, &stx) != 0) {
      return errno_error(errno, "can't back up " + given);
    }
    root.is_mount_point = (stx.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
    root.is_directory = S_ISDIR(stx.stx_mode);
    out.roots_.push_back(std::move(root));
  }
  std::sort(out.roots_.begin(), out.roots_.end(),
            [](const Root& a, const Root& b) { return model::compare_paths(a.path, b.path) < 0; });
  std::vector<Root> kept;
  for (Root& root : out.roots_) {
    const bool covered =
        !kept.empty() && (root.path == kept.back().path || is_below(root.path, kept.back().path));
    if (!covered) kept.push_back(std::move(root));
  }
  out.roots_ = std::move(kept);
  return out;
}

bool Roots::is_above(std::string_view path) const {
  // What lies below `path` follows it at once in the order.
  const auto next =
      std::upper_bound(roots_.begin(), roots_.end(), path,
                       [](std::string_view a, const Root& b) { return model::compare_paths(a, b.path) < 0; });
  return next != roots_.end() && is_below(next->path, path);
}

}  // namespace holdfast::source
