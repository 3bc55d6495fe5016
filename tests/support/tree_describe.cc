#include "tests/support/tree_describe.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

namespace holdfast::test {

namespace {

struct Described {
  DescribeOptions options;
  std::map<std::string, std::string> lines;
  std::map<std::pair<dev_t, ino_t>, std::string> first_names;
};

std::string printable(const std::string& bytes) {
  std::string out;
  for (const char c : bytes) {
    if (c >= ' ' && c <= '~') {
      out += c;
    } else {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

// Relative to the current directory of the walk, so that no path is ever too long.
std::string xattrs_of(const char* name) {
  std::vector<char> names(65536);
  const ssize_t size = ::llistxattr(name, names.data(), names.size());
  std::vector<std::string> found;
  for (ssize_t at = 0; at < size; at += static_cast<ssize_t>(std::strlen(names.data() + at)) + 1) {
    std::vector<char> value(65536);
    const ssize_t length = ::lgetxattr(name, names.data() + at, value.data(), value.size());
    found.push_back(
        fmt::format("{}={}", names.data() + at,
                    length < 0 ? "?" : printable({value.data(), static_cast<std::size_t>(length)})));
  }
  std::sort(found.begin(), found.end());
  std::string out;
  for (const std::string& one : found) out += " " + one;
  return out;
}

std::string content_of(const char* name) {
  const int fd = ::open(name, O_RDONLY | O_NOFOLLOW);
  if (fd < 0) return "unreadable";
  std::uint64_t hash = 1469598103934665603u;  // FNV-1a
  std::vector<unsigned char> block(1 << 16);
  ssize_t got;
  while ((got = ::read(fd, block.data(), block.size())) > 0) {
    for (ssize_t i = 0; i < got; ++i) hash = (hash ^ block[static_cast<std::size_t>(i)]) * 1099511628211u;
  }
  ::close(fd);
  return fmt::format("{:016x}", hash);
}

std::string line_of(Described& into, const std::string& path, const char* name, const struct stat& st) {
  std::string line = fmt::format("mode={:o}", st.st_mode);
  if (into.options.owners) line += fmt::format(" owner={}:{}", st.st_uid, st.st_gid);
  if (into.options.times) line += fmt::format(" mtime={}.{:09}", st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
  if (S_ISREG(st.st_mode)) line += fmt::format(" size={} content={}", st.st_size, content_of(name));
  if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) line += fmt::format(" rdev={}", st.st_rdev);
  if (S_ISLNK(st.st_mode)) {
    std::string target(4096, '\0');
    const ssize_t size = ::readlink(name, target.data(), target.size());
    line += " target=" + printable(target.substr(0, size < 0 ? 0 : static_cast<std::size_t>(size)));
  }
  if (!S_ISDIR(st.st_mode) && st.st_nlink > 1) {
    const auto [first, is_new] = into.first_names.try_emplace({st.st_dev, st.st_ino}, path);
    line += fmt::format(" links={} same-as={}", st.st_nlink, printable(first->second));
  }
  return line + xattrs_of(name);
}

void describe_here(Described& into, const std::string& prefix) {
  std::vector<std::string> names;
  DIR* dir = ::opendir(".");
  if (dir == nullptr) {
    into.lines[prefix + "!"] = "unreadable";
    return;
  }
  while (const dirent* found = ::readdir(dir)) {
    if (std::strcmp(found->d_name, ".") != 0 && std::strcmp(found->d_name, "..") != 0)
      names.push_back(found->d_name);
  }
  ::closedir(dir);
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    struct stat st;
    if (::lstat(name.c_str(), &st) != 0) continue;
    into.lines[printable(prefix + name)] = line_of(into, prefix + name, name.c_str(), st);
    if (!S_ISDIR(st.st_mode) || ::chdir(name.c_str()) != 0) continue;
    describe_here(into, prefix + name + "/");
    if (::chdir("..") != 0) return;
  }
}

}  // namespace

std::map<std::string, std::string> describe_tree(const std::string& top, DescribeOptions options) {
  Described described{options, {}, {}};
  const int here = ::open(".", O_RDONLY | O_DIRECTORY);
  if (::chdir(top.c_str()) == 0) describe_here(described, "");
  if (::fchdir(here) != 0) described.lines["!"] = "lost the current directory";
  ::close(here);
  return described.lines;
}

}  // namespace holdfast::test
