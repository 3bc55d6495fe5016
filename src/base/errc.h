// The one table of error kinds. Everything derived from a kind (exit code, retryable or not, the
// word shown to the operator) comes from here; see docs/manual/exit-codes in the man page.
#pragma once

namespace holdfast {

// clang-format off
//        name           exit  retry  word
#define HOLDFAST_ERRC(X)                                    \
  X(failed,              1,    false, "failed")             \
  X(usage,               2,    false, "usage")              \
  X(partial,             3,    false, "partial")            \
  X(exists,              1,    false, "exists")             \
  X(not_found,           1,    false, "not found")          \
  X(denied,              1,    false, "permission denied")  \
  X(no_repository,       10,   false, "no repository")      \
  X(conflict,            11,   false, "conflict")           \
  X(wrong_key,           12,   false, "wrong key")          \
  X(damaged,             13,   false, "damaged")            \
  X(guarded,             14,   false, "guarded")            \
  X(no_space,            15,   false, "no space")           \
  X(unreachable,         16,   true,  "unreachable")        \
  X(immutable,           17,   false, "immutable")          \
  X(unsupported,         1,    false, "unsupported")        \
  X(stopped,             130,  false, "stopped")
// clang-format on

enum class Errc : unsigned char {
#define X(name, exit, retry, word) name,
  HOLDFAST_ERRC(X)
#undef X
};

// Process exit code for an error of this kind.
constexpr int exit_code(Errc kind) {
  switch (kind) {
#define X(name, exit, retry, word) \
  case Errc::name:                 \
    return exit;
    HOLDFAST_ERRC(X)
#undef X
  }
  return 1;
}

// True where trying the same call again later may succeed.
constexpr bool retryable(Errc kind) {
  switch (kind) {
#define X(name, exit, retry, word) \
  case Errc::name:                 \
    return retry;
    HOLDFAST_ERRC(X)
#undef X
  }
  return false;
}

constexpr const char* word(Errc kind) {
  switch (kind) {
#define X(name, exit, retry, word) \
  case Errc::name:                 \
    return word;
    HOLDFAST_ERRC(X)
#undef X
  }
  return "failed";
}

}  // namespace holdfast
