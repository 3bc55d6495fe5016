#include "base/names_in.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/fd.h"

namespace holdfast {

Result<std::vector<std::string>> names_in(int fd) {
  std::vector<std::string> names;
  alignas(dirent64) std::array<char, 32768> buffer;
  if (::lseek(fd, 0, SEEK_SET) < 0) return errno_error(errno, "list");
  while (true) {
    const ssize_t got = ::getdents64(fd, buffer.data(), buffer.size());
    if (got < 0) return errno_error(errno, "list");
    if (got == 0) break;
    for (ssize_t at = 0; at < got;) {
      const auto* record = reinterpret_cast<const dirent64*>(buffer.data() + at);
      at += record->d_reclen;
      const std::string_view name(record->d_name);
      if (name != "." && name != "..") names.emplace_back(name);
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::vector<std::string>> names_in(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return errno_error(errno, "open directory " + path);
  return names_in(fd.get());
}

}  // namespace holdfast
