// HF_ASSERT: on in every build. An inconsistent process must not write to a repository.
// HF_MEMORY: for what a library can refuse only because memory ran out; fails as an allocation of ours does.
#pragma once

namespace holdfast {

[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);

// Throws std::bad_alloc, which main() reports.
[[noreturn]] void out_of_memory();

}  // namespace holdfast

#define HF_ASSERT(condition) \
  ((condition) ? static_cast<void>(0) : ::holdfast::assertion_failed(#condition, __FILE__, __LINE__))
#define HF_MEMORY(condition) ((condition) ? static_cast<void>(0) : ::holdfast::out_of_memory())
