// A FileSystem as the kernel's: mounts it and answers until it is unmounted from outside or `stop` is
// requested, which unmounts it (lazily where somebody is still in it).
#pragma once

#include "mount/file_system.h"

namespace holdfast::mount {

struct ServeOptions {
  std::string target;               // a directory
  bool allow_other = false;         // than the user who mounts it
  bool default_permissions = true;  // the kernel lets everybody see what modes and ACLs let them
  unsigned threads = 8;
  std::function<void()> mounted = [] {};
  // Something could not be read; the reader got EIO. From any thread.
  std::function<void(const Error&)> complain = [](const Error&) {};
};

Result<void> serve(FileSystem& files, const ServeOptions& options, std::stop_token stop);

}  // namespace holdfast::mount
