// An error: kind, message, context lines added room by room (innermost first), an optional hint for
// the operator. One pointer wide; moves freely, copies only by copy(). Immutable once it is shown.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/errc.h"

namespace holdfast {

class [[nodiscard]] Error {
 public:
  Error(Errc kind, std::string message);
  Error(Error&&) noexcept = default;
  Error& operator=(Error&&) noexcept = default;
  Error copy() const;

  Errc kind() const { return body_->kind; }
  const std::string& message() const { return body_->message; }
  const std::string& hint() const { return body_->hint; }

  // Adds what was being done when this happened; the last added is printed first.
  Error&& context(std::string line) &&;
  // Tells the operator what to do about it; the first hint given stays.
  Error&& hint(std::string text) &&;

  // "outer: inner: message (kind)", without the hint.
  std::string text() const;

 private:
  struct Body {
    Errc kind;
    std::string message;
    std::vector<std::string> context;
    std::string hint;
  };
  std::unique_ptr<Body> body_;
};

// An Error of the kind that fits `errno_value` (ENOSPC → no_space, EACCES → denied, …), with
// message "what: strerror".
Error errno_error(int errno_value, std::string_view what);

}  // namespace holdfast
