#include "base/check.h"

#include <cstdio>
#include <cstdlib>
#include <new>

namespace holdfast {

void assertion_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "holdfast: internal error: %s (%s:%d)\n", condition, file, line);
  std::abort();
}

void out_of_memory() { throw std::bad_alloc(); }

}  // namespace holdfast
