// Opening what lies below an open directory, so that nothing else can be reached: no symbolic link, no magic
// link, no way up and out, no absolute path. The kernel sees to that in one step (openat2, Linux 5.6); where
// it can't, because it is older or a filter of system calls forbids it, every component is opened by itself
// without following links. Thread-safe.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string_view>

#include "base/fd.h"

namespace holdfast {

// As openat(2), with errno: ELOOP or ENOTDIR where a component is a link, EXDEV where the path leads out. The
// last component itself may be a link where `flags` has O_PATH and O_NOFOLLOW. `mode` only with O_CREAT.
Fd open_beneath(int directory, const char* path, int flags, mode_t mode = 0);

// Whether openat2 is there. Asked once.
bool kernel_resolves_beneath();

// What became of the name that a descriptor was opened by, wherever it was moved to; `unknown` where there is
// no /proc, the path is longer than PATH_MAX, or the name is such that the kernel's word for it has two
// meanings. `name` is its last component. A name that is gone doesn't come back. So what had one name
// when it was asked, and *then* is `there`, had no other. The count alone doesn't say that: it falls to one
// as well when somebody links a file of elsewhere to the name, and removes that again once it is open.
enum class OpenedName : std::uint8_t { there, gone, unknown };
OpenedName opened_name(int fd, std::string_view name);

// The way without openat2, for any kernel.
Fd open_by_components(int directory, const char* path, int flags, mode_t mode = 0);

}  // namespace holdfast
