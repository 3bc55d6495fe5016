// Confinement of this process's writing by Landlock (Linux 5.19 and later): from then on the calling thread,
// and the threads and processes that it starts, can make, change, open for writing, link, rename and remove
// only what lies below some directories, and start no program, whatever else goes wrong in them. Reading is
// not touched, nor is what is open already. There is no way back.
#pragma once

#include <span>

#include "base/result.h"

namespace holdfast {

// `directories` are open ones (O_PATH is enough). Call before the threads are started that shall be confined.
// Errc::unsupported, and nothing is changed, where the kernel lacks it, has it switched off, or a filter of
// system calls forbids it; failed for anything else.
Result<void> confine_writing(std::span<const int> directories);

}  // namespace holdfast
