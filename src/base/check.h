// HF_ASSERT: on in every build. An inconsistent process must not write to a repository.
#pragma once

namespace holdfast {

[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);

}  // namespace holdfast

#define HF_ASSERT(condition) \
  ((condition) ? static_cast<void>(0) : ::holdfast::assertion_failed(#condition, __FILE__, __LINE__))
