#include "source/inode_extras.h"

#include <fmt/core.h>

#include "base/inode_flags.h"
#include "model/flags.h"

namespace holdfast::source {

namespace {

template <typename Get>
Result<void> ask(std::atomic<std::uint64_t>& without, std::uint64_t device, const char* what,
                 const std::string& path, Get get) {
  if (without.load(std::memory_order_relaxed) == device) return {};
  const int failure = get();
  if (failure == 0) return {};
  if (!not_there(failure)) return errno_error(failure, fmt::format("read {} of /{}", what, path));
  without.store(device, std::memory_order_relaxed);
  return {};
}

}  // namespace

Result<void> InodeExtras::read(int fd, std::uint64_t device, const std::string& path,
                               model::Attributes& out) {
  static const std::uint32_t kept = model::kept_flags();
  out.flags = out.project = 0;
  TRY(ask(without_flags_, device, "the flags", path, [&] { return get_inode_flags(fd, out.flags); }));
  out.flags &= kept;
  return ask(without_project_, device, "the project", path, [&] { return get_project(fd, out.project); });
}

Result<void> InodeExtras::read_at(int directory, const std::string& name, std::uint64_t device,
                                  const std::string& path, model::Attributes& out) {
  out.flags = out.project = 0;
  return ask(without_special_, device, "the project", path,
             [&] { return get_project_at(directory, name.c_str(), out.project); });
}

}  // namespace holdfast::source
