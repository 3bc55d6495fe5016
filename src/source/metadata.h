// What stat does not tell of an object: xattrs and the names of its owner and group. Thread-safe.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/entry.h"

namespace holdfast::source {

// All extended attributes of `name` in the directory open at `directory` (POSIX ACLs are among them), sorted,
// into `out`; a symlink's own. A file system without any gives none. `path` is how the object is reached
// without /proc, and named in errors. On an error `out` holds those that could be read.
Result<void> read_xattrs(int directory, const std::string& name, const std::string& path,
                         std::vector<model::Xattr>& out);

// Names of users and groups by number, each asked once of the system's databases. "" where there is none.
class Names {
 public:
  std::string user(std::uint32_t uid);
  std::string group(std::uint32_t gid);

 private:
  std::mutex mutex_;  // guards both
  std::map<std::uint32_t, std::string> users_;
  std::map<std::uint32_t, std::string> groups_;
};

}  // namespace holdfast::source
