// InodeExtras: chattr flags and project, which only an open file tells, read with as few calls as may be: a
// file system that has said that it knows none isn't asked again while the walk stays on it. Thread-safe.
#pragma once

#include <atomic>
#include <string>

#include "base/result.h"
#include "model/entry.h"

namespace holdfast::source {

class InodeExtras {
 public:
  // Of the file or directory open at `fd`, on the file system `device`. `path`, without the leading '/', is
  // for messages.
  Result<void> read(int fd, std::uint64_t device, const std::string& path, model::Attributes& out);
  // Of what can't be opened.
  Result<void> read_at(int directory, const std::string& name, std::uint64_t device, const std::string& path,
                       model::Attributes& out);

 private:
  // The device last met that has none; a device number is never this.
  static constexpr std::uint64_t kNone = ~std::uint64_t{0};
  std::atomic<std::uint64_t> without_flags_ = kNone;
  std::atomic<std::uint64_t> without_project_ = kNone;
  std::atomic<std::uint64_t> without_special_ = kNone;
};

}  // namespace holdfast::source
