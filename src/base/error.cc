#include "base/error.h"

#include <cerrno>
#include <cstring>

namespace holdfast {

Error::Error(Errc kind, std::string message)
    : body_(std::make_unique<Body>(Body{kind, std::move(message), {}, {}})) {}

Error Error::copy() const {
  Error twin(body_->kind, body_->message);
  *twin.body_ = *body_;
  return twin;
}

Error&& Error::context(std::string line) && {
  body_->context.push_back(std::move(line));
  return std::move(*this);
}

Error&& Error::hint(std::string text) && {
  if (body_->hint.empty()) body_->hint = std::move(text);
  return std::move(*this);
}

std::string Error::text() const {
  std::string out;
  for (auto line = body_->context.rbegin(); line != body_->context.rend(); ++line) {
    out += *line;
    out += ": ";
  }
  out += body_->message;
  return out;
}

namespace {

Errc kind_of(int errno_value) {
  switch (errno_value) {
    case ENOENT:
    case ENOTDIR:
      return Errc::not_found;
    case EEXIST:
      return Errc::exists;
    case EACCES:
    case EPERM:
    case EROFS:
      return Errc::denied;
    case ENOSPC:
    case EDQUOT:
      return Errc::no_space;
    case EINTR:
    case EAGAIN:
    case ETIMEDOUT:
    case ECONNRESET:
    case ECONNREFUSED:
    case ENETUNREACH:
    case EHOSTUNREACH:
      return Errc::unreachable;
    case EOPNOTSUPP:
    case ENOSYS:
      return Errc::unsupported;
    default:
      return Errc::failed;
  }
}

}  // namespace

Error errno_error(int errno_value, std::string_view what) {
  // strerrordesc_np is thread-safe, unlike strerror.
  const char* text = ::strerrordesc_np(errno_value);
  Error error(kind_of(errno_value), std::string(what) + ": " + (text != nullptr ? text : "unknown error"));
  if (error.kind() == Errc::no_space) {
    return std::move(error).hint("free space on that file system, or raise the quota, and run again");
  }
  return error;
}

}  // namespace holdfast
