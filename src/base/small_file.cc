#include "base/small_file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/fd.h"

namespace holdfast {

namespace {

Result<void> write_whole(const std::string& path, Bytes bytes) {
  const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file.valid()) return errno_error(errno, "make " + path);
  while (!bytes.empty()) {
    const ssize_t done = ::write(file.get(), bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return errno_error(errno, "write " + path);
    bytes = bytes.subspan(static_cast<std::size_t>(done));
  }
  if (::fsync(file.get()) != 0) return errno_error(errno, "write " + path);
  return {};
}

}  // namespace

Result<std::optional<Buffer>> read_small_file(const std::string& path, std::uint64_t bytes_max) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid() && errno == ENOENT) return std::optional<Buffer>();
  if (!file.valid()) return errno_error(errno, "open " + path);
  Buffer out;
  for (;;) {
    std::array<std::uint8_t, 8192> piece{};
    const ssize_t got = ::read(file.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error(errno, "read " + path);
    if (got == 0) return std::optional<Buffer>(std::move(out));
    append(out, Bytes(piece).first(static_cast<std::size_t>(got)));
    if (out.size() > bytes_max) return Error(Errc::damaged, path + " is too long");
  }
}

Result<void> replace_small_file(const std::string& path, Bytes bytes) {
  const std::string fresh = fmt::format("{}.{}.new", path, ::getpid());
  auto written = write_whole(fresh, bytes);
  if (written.ok() && std::rename(fresh.c_str(), path.c_str()) == 0) return {};
  if (written.ok()) written = errno_error(errno, "rename " + fresh);
  ::unlink(fresh.c_str());
  return written;
}

}  // namespace holdfast
