// Preloaded into a program: the N-th allocation fails (FAULT_AT=N), and all later ones if FAULT_STICKY is
// set. FAULT_COUNT names a file that the number of allocations is written to at the end. Not counted: what
// comes before main (nobody could answer for it) and what the C library and OpenSSL ask for themselves. Where
// memory fails those, they end the program on their own: glibc 2.36 by an assertion in nss_database_reload,
// OpenSSL 3.0 by a lock that it could not make and then takes (EVP_KEYMGMT_fetch).
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

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

struct Range {
  std::uintptr_t begin = 0, end = 0;
};
Range left_out[4];

int note_range(dl_phdr_info* info, std::size_t /*size*/, void* /*data*/) {
  static std::size_t count = 0;
  const char* const name = std::strrchr(info->dlpi_name, '/');
  if (name == nullptr || count == sizeof left_out / sizeof left_out[0]) return 0;
  if (std::strncmp(name, "/libc.so", 8) != 0 && std::strncmp(name, "/libcrypto.so", 13) != 0) return 0;
  Range& range = left_out[count++];
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& part = info->dlpi_phdr[i];
    if (part.p_type != PT_LOAD || (part.p_flags & PF_X) == 0) continue;
    range = {info->dlpi_addr + part.p_vaddr, info->dlpi_addr + part.p_vaddr + part.p_memsz};
  }
  return 0;
}

bool fails(const void* caller) {
  if (!armed) return false;
  const auto at = reinterpret_cast<std::uintptr_t>(caller);
  for (const Range& range : left_out) {
    if (at >= range.begin && at < range.end) return false;
  }
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
    ::dl_iterate_phdr(&note_range, nullptr);
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

void* malloc(std::size_t size) noexcept {
  return fails(__builtin_return_address(0)) ? nullptr : __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) noexcept {
  return fails(__builtin_return_address(0)) ? nullptr : __libc_calloc(count, size);
}
void* realloc(void* block, std::size_t size) noexcept {
  return fails(__builtin_return_address(0)) ? nullptr : __libc_realloc(block, size);
}
void* memalign(std::size_t alignment, std::size_t size) noexcept {
  return fails(__builtin_return_address(0)) ? nullptr : __libc_memalign(alignment, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  return fails(__builtin_return_address(0)) ? nullptr : __libc_memalign(alignment, size);
}
int posix_memalign(void** out, std::size_t alignment, std::size_t size) noexcept {
  void* block = fails(__builtin_return_address(0)) ? nullptr : __libc_memalign(alignment, size);
  if (block == nullptr) return ENOMEM;
  *out = block;
  return 0;
}

using Main = int (*)(int, char**, char**);
Main real_main = nullptr;

int armed_main(int argc, char** argv, char** environment) {
  armed = true;
  return real_main(argc, argv, environment);
}

// The C library's entry: main begins armed.
int __libc_start_main(Main main, int argc, char** argv, void (*init)(), void (*fini)(), void (*loader_fini)(),
                      void* stack_end) {
  using Start = int (*)(Main, int, char**, void (*)(), void (*)(), void (*)(), void*);
  real_main = main;
  const auto start = reinterpret_cast<Start>(::dlsym(RTLD_NEXT, "__libc_start_main"));
  return start(&armed_main, argc, argv, init, fini, loader_fini, stack_end);
}
}
