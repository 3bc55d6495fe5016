// Beneath: directories below one directory, by relative path, never through a symbolic link, "." or "..": so
// nothing outside can be reached even where others rename and link at the same time. Descriptors (O_PATH,
// good as the first argument of the *at calls) are cached, at most kOpen of them. Paths may be longer than
// PATH_MAX. Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast {

using SharedFd = std::shared_ptr<const Fd>;

// True for what names an object below a directory: components that are not empty, "." or "..", joined by
// single '/', without NUL. The empty path is not.
bool is_plain_path(std::string_view path);

// The part after the last '/', and the part before it ("" where there is none).
std::string_view leaf_of(std::string_view path);
std::string_view parent_of(std::string_view path);

// Whether `path` is `top` or something below it. Everything is below "".
bool is_at_or_below(std::string_view path, std::string_view top);

class Beneath {
 public:
  // Where `may_follow(path)` is true, the directory `path` itself may be reached through a symbolic link; but
  // always the same directory: once it is another one, that is an error (failed).
  using Follow = std::function<bool(std::string_view path)>;
  explicit Beneath(SharedFd top, Follow may_follow = {})
      : top_(std::move(top)), may_follow_(std::move(may_follow)) {}

  // The directory `path`; "" is the top. Errors: not_found, also where a component is not a directory;
  // denied; failed, see Follow.
  Result<SharedFd> directory(std::string_view path);
  // Takes note of an open directory that the caller knows to be `path`.
  void remember(std::string_view path, SharedFd directory);
  // Drops what is cached for `path` and all below it, before it is removed or replaced.
  void forget(std::string_view path);
  // Takes note of what `path` leads to, which may be followed; an error where it led elsewhere before.
  Result<void> recognise(std::string_view path, const Fd& directory);

 private:
  static constexpr std::size_t kOpen = 64;
  // So many of the innermost directories on the way to one asked for are kept too, for those who come back
  // up.
  static constexpr std::size_t kOnTheWay = 24;
  struct Known {
    SharedFd directory;
    std::uint64_t used = 0;
  };
  struct PathHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view path) const { return std::hash<std::string_view>()(path); }
  };

  SharedFd lookup(std::string_view path);

  const SharedFd top_;
  const Follow may_follow_;
  std::mutex mutex_;  // guards all below
  std::unordered_map<std::string, Known, PathHash, std::equal_to<>> known_;
  // What was reached through paths that may be followed: device and inode.
  std::unordered_map<std::string, std::pair<std::uint64_t, std::uint64_t>> followed_;
  std::uint64_t clock_ = 0;
};

}  // namespace holdfast
