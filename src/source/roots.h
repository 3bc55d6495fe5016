// Roots: the paths that a backup was asked for, normalised, in order and without those below another.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace holdfast::source {

struct Root {
  std::string path;             // absolute, without the leading '/'; "" is the file system's root
  bool is_mount_point = false;  // something is mounted there
  bool is_directory = false;
  std::uint64_t entries = 0;  // given by next() so far, the root itself included
};

class Roots {
 public:
  // Paths as a user gives them, relative ones to the current directory. They are normalised by their text, so
  // `link/..` is what stands before `link`. Error: not_found, naming the root that isn't there.
  static Result<Roots> examine(const std::vector<std::string>& paths);

  std::vector<Root>& all() { return roots_; }
  const std::vector<Root>& all() const { return roots_; }
  // True where some root lies below `path`.
  bool is_above(std::string_view path) const;

 private:
  std::vector<Root> roots_;
};

}  // namespace holdfast::source
