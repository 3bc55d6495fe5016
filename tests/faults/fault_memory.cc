// Preloaded into a program: the N-th allocation fails (FAULT_AT=N), and all later ones if FAULT_STICKY is
// set. FAULT_COUNT names a file that the number of allocations is written to at the end. Allocations of the
// loader, before the program's own code runs, are not counted.
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>

extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* block, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
}

namespace {

std::atomic<long> seen{0};
long fail_at = 0;
bool sticky = false;
bool armed = false;
int count_file = -1;  // opened at once: the program may give up its right to

bool fails() {
  if (!armed) return false;
  const long now = ++seen;
  if (fail_at == 0 || (sticky ? now < fail_at : now != fail_at)) return false;
  errno = ENOMEM;
  return true;
}

struct Arm {
  Arm() {
    const char* at = std::getenv("FAULT_AT");
    fail_at = at == nullptr ? 0 : std::atol(at);
    sticky = std::getenv("FAULT_STICKY") != nullptr;
    if (const char* name = std::getenv("FAULT_COUNT"))
      count_file = ::open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    armed = true;
  }
  ~Arm() {
    armed = false;
    if (std::getenv("FAULT_COUNT") == nullptr) return;
    char text[32];
    const int length = std::snprintf(text, sizeof text, "%ld\n", seen.load());
    if (::write(count_file, text, static_cast<std::size_t>(length)) < 0) std::_Exit(125);
    ::close(count_file);
  }
} arm;

}  // namespace

extern "C" {

void* malloc(std::size_t size) noexcept { return fails() ? nullptr : __libc_malloc(size); }
void* calloc(std::size_t count, std::size_t size) noexcept {
  return fails() ? nullptr : __libc_calloc(count, size);
}
void* realloc(void* block, std::size_t size) noexcept {
  return fails() ? nullptr : __libc_realloc(block, size);
}
void* memalign(std::size_t alignment, std::size_t size) noexcept {
  return fails() ? nullptr : __libc_memalign(alignment, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  return fails() ? nullptr : __libc_memalign(alignment, size);
}
int posix_memalign(void** out, std::size_t alignment, std::size_t size) noexcept {
  void* block = fails() ? nullptr : __libc_memalign(alignment, size);
  if (block == nullptr) return ENOMEM;
  *out = block;
  return 0;
}
}
