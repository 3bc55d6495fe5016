// TempTree: a directory of a test's own, removed with all in it at the end, and short ways to put things
// there. What fails to be made fails the process: a test whose tree isn't there proves nothing.
#pragma once

#include <string>
#include <string_view>

namespace holdfast::test {

class TempTree {
 public:
  TempTree();
  ~TempTree();
  TempTree(const TempTree&) = delete;
  TempTree& operator=(const TempTree&) = delete;

  const std::string& path() const { return path_; }
  std::string at(std::string_view name) const { return path_ + "/" + std::string(name); }
  // Without the leading '/', as entries have it.
  std::string entry(std::string_view name) const { return at(name).substr(1); }

  void directory(std::string_view name, unsigned mode = 0755) const;  // with its parents
  void file(std::string_view name, std::string_view content, unsigned mode = 0644) const;
  void symlink(std::string_view name, const std::string& target) const;
  void link(std::string_view name, std::string_view existing) const;
  void fifo(std::string_view name, unsigned mode = 0600) const;
  void xattr(std::string_view name, const char* key, std::string_view value) const;
  void mtime(std::string_view name, long seconds, long nanoseconds) const;

 private:
  std::string path_;
};

// One of everything that this user on this file system can make: kinds, odd names, modes, times, xattrs and
// ACLs, holes, hard links.
void build_zoo(const TempTree& tree);
// Paths twice as long as PATH_MAX, below "deep".
void build_deep(const TempTree& tree);

// Runs `body` in a child process as an unprivileged user (where this one is root) and returns its result as
// exit status; 0 is success. `body` must use no gtest assertions.
int run_unprivileged(int (*body)(const std::string& argument), const std::string& argument);

}  // namespace holdfast::test
