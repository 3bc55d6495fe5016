// Result<T>: a T or an Error; Result<void>: nothing or an Error. It cannot be dropped silently
// ([[nodiscard]]). TRY and TRY_AS propagate an error, and stand only as a whole statement or a
// whole initialiser: nested in an expression they leak arguments already built (g++ 12, clang 14),
// so tests/tidy rejects nesting.
#pragma once

#include <optional>
#include <utility>
#include <variant>

#include "base/check.h"
#include "base/error.h"

namespace holdfast {

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & {
    HF_ASSERT(ok());
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    HF_ASSERT(ok());
    return *std::get_if<0>(&state_);
  }
  T&& value() && {
    HF_ASSERT(ok());
    return std::move(*std::get_if<0>(&state_));
  }
  Error& error() & {
    HF_ASSERT(!ok());
    return *std::get_if<1>(&state_);
  }
  const Error& error() const& {
    HF_ASSERT(!ok());
    return *std::get_if<1>(&state_);
  }
  Error&& error() && {
    HF_ASSERT(!ok());
    return std::move(*std::get_if<1>(&state_));
  }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  void value() const { HF_ASSERT(ok()); }
  Error& error() & {
    HF_ASSERT(!ok());
    return *error_;
  }
  const Error& error() const& {
    HF_ASSERT(!ok());
    return *error_;
  }
  Error&& error() && {
    HF_ASSERT(!ok());
    return std::move(*error_);
  }

 private:
  std::optional<Error> error_;
};

}  // namespace holdfast

// Evaluates to the value of `expr`, or returns its error from the enclosing function.
#define TRY(expr)                                             \
  __extension__({                                             \
    auto hf_result = (expr);                                  \
    if (!hf_result.ok()) return std::move(hf_result).error(); \
    std::move(hf_result).value();                             \
  })

// As TRY, adding a line of context (a std::string expression, evaluated only on error).
#define TRY_AS(expr, line)                                                  \
  __extension__({                                                           \
    auto hf_result = (expr);                                                \
    if (!hf_result.ok()) return std::move(hf_result).error().context(line); \
    std::move(hf_result).value();                                           \
  })
