#include "base/beneath.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "base/open_beneath.h"

namespace holdfast {

bool is_plain_path(std::string_view path) {
  if (path.find('\0') != path.npos) return false;
  while (true) {
    const std::size_t slash = path.find('/');
    const std::string_view component = path.substr(0, slash);
    if (component.empty() || component == "." || component == "..") return false;
    if (slash == path.npos) return true;
    path.remove_prefix(slash + 1);
  }
}

std::string_view leaf_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == path.npos ? path : path.substr(slash + 1);
}

std::string_view parent_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == path.npos ? std::string_view() : path.substr(0, slash);
}

bool is_at_or_below(std::string_view path, std::string_view top) {
  return top.empty() || (path.starts_with(top) && (path.size() == top.size() || path[top.size()] == '/'));
}

SharedFd Beneath::lookup(std::string_view path) {
  const auto found = known_.find(path);
  if (found == known_.end()) return nullptr;
  found->second.used = ++clock_;
  return found->second.directory;
}

Result<SharedFd> Beneath::directory(std::string_view path) {
  if (path.empty()) return top_;
  SharedFd at = top_;
  std::size_t done = 0;  // path[0, done) is open as `at`
  {
    const std::lock_guard lock(mutex_);
    for (std::string_view prefix = path; !prefix.empty(); prefix = parent_of(prefix)) {
      if (SharedFd known = lookup(prefix)) {
        if (prefix.size() == path.size()) return known;
        at = std::move(known);
        done = prefix.size() + 1;
        break;
      }
    }
  }
  std::string name;
  std::size_t left =
      static_cast<std::size_t>(std::count(path.begin() + static_cast<std::ptrdiff_t>(done), path.end(), '/'));
  while (done < path.size()) {
    const std::size_t end = std::min(path.find('/', done), path.size());
    name.assign(path.substr(done, end - done));
    if (!is_plain_path(name)) return Error(Errc::damaged, "unsafe path: " + std::string(path));
    const std::string_view prefix = path.substr(0, end);
    const bool follow = may_follow_ && may_follow_(prefix);
    constexpr int kFlags = O_PATH | O_DIRECTORY | O_CLOEXEC;
    Fd next = follow ? Fd(::openat(at->get(), name.c_str(), kFlags))
                     : open_beneath(at->get(), name.c_str(), kFlags);
    if (!next.valid()) return errno_error(errno, "open " + std::string(prefix));
    if (follow) TRY(recognise(prefix, next));
    at = std::make_shared<const Fd>(std::move(next));
    done = end + 1;
    if (left-- <= kOnTheWay) remember(path.substr(0, end), at);
  }
  return at;
}

// What a link led to once, it must lead to always.
Result<void> Beneath::recognise(std::string_view path, const Fd& directory) {
  struct stat st;
  if (::fstat(directory.get(), &st) != 0) return errno_error(errno, "stat " + std::string(path));
  const std::pair<std::uint64_t, std::uint64_t> identity{st.st_dev, st.st_ino};
  const std::lock_guard lock(mutex_);
  const auto [at, is_new] = followed_.try_emplace(std::string(path), identity);
  if (is_new || at->second == identity) return {};
  return Error(Errc::failed, "/" + std::string(path) + ": another directory has taken its place meanwhile");
}

void Beneath::remember(std::string_view path, SharedFd directory) {
  const std::lock_guard lock(mutex_);
  if (known_.size() >= kOpen) {
    const auto older = [](const auto& a, const auto& b) { return a.second.used < b.second.used; };
    known_.erase(std::min_element(known_.begin(), known_.end(), older));
  }
  known_.insert_or_assign(std::string(path), Known{std::move(directory), ++clock_});
}

void Beneath::forget(std::string_view path) {
  const std::lock_guard lock(mutex_);
  std::erase_if(known_, [&](const auto& item) {
    const std::string_view name = item.first;
    return name.starts_with(path) && (name.size() == path.size() || path.empty() || name[path.size()] == '/');
  });
}

}  // namespace holdfast
