#include "source/files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>

#include "base/beneath.h"
#include "source/content.h"
#include "source/inode_extras.h"
#include "source/metadata.h"
#include "source/walk.h"

namespace holdfast::source {

struct FileSource::Parts {
  Parts(FileOptions given, Roots examined, SharedFd top)
      : options(std::move(given)),
        roots(std::move(examined)),
        beneath(std::move(top), [this](std::string_view path) { return roots.is_above(path); }),
        walk(roots, options.filters, beneath) {}

  FileOptions options;
  Roots roots;
  Beneath beneath;
  Walk walk;
  Names names;
  std::unique_ptr<InodeExtras> extras = std::make_unique<InodeExtras>();  // outlives what was opened
};

FileSource::FileSource(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
FileSource::~FileSource() = default;

namespace {

Result<SharedFd> open_top() {
  Fd top(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!top.valid()) return errno_error(errno, "open /");
  return std::make_shared<const Fd>(std::move(top));
}

}  // namespace

Result<std::unique_ptr<FileSource>> FileSource::make(FileOptions options) {
  Roots roots = TRY(Roots::examine(options.roots));
  SharedFd top = TRY(open_top());
  auto parts = std::make_unique<Parts>(std::move(options), std::move(roots), std::move(top));
  return std::unique_ptr<FileSource>(new FileSource(std::move(parts)));
}

// The roots stay those that were asked for; one that has gone meanwhile is an error of next().
Result<void> FileSource::restart() {
  SharedFd top = TRY(open_top());
  for (Root& root : parts_->roots.all()) root.entries = 0;
  auto extras = std::move(parts_->extras);
  parts_ = std::make_unique<Parts>(std::move(parts_->options), std::move(parts_->roots), std::move(top));
  parts_->extras = std::move(extras);
  return {};
}

const std::vector<Root>& FileSource::roots() const { return parts_->roots.all(); }

Result<bool> FileSource::next(Item& item, std::stop_token stop) {
  if (stop.stop_requested()) return Error(Errc::stopped, "stopped while walking");
  return parts_->walk.next(item);
}

namespace {

Result<void> read_target(int directory, const std::string& name, const std::string& path, std::string& out) {
  std::array<char, 4096> buffer;  // PATH_MAX: longer targets can't be made
  const ssize_t got = ::readlinkat(directory, name.c_str(), buffer.data(), buffer.size());
  if (got < 0) return errno_error(errno, "read link /" + path);
  out.assign(buffer.data(), static_cast<std::size_t>(got));
  return {};
}

// Flags and project of what isn't opened for its content. Where this user may not open it, it has none.
template <typename Parts>
Result<void> read_extras(Parts& parts, int directory, const std::string& name, Item& item) {
  model::Entry& entry = item.entry;
  const bool is_directory = entry.attributes.type == model::FileType::directory;
  if (!is_directory && entry.attributes.type != model::FileType::regular) {
    return parts.extras->read_at(directory, name, item.device, entry.path, entry.attributes);
  }
  if (!is_directory && entry.size_bytes > 0) return {};
  if (is_directory) {
    // Mostly it is still open from being listed.
    const auto listed = parts.beneath.directory(entry.path);
    const int flags = listed.ok() ? ::fcntl(listed.value()->get(), F_GETFL) : O_PATH;
    if ((flags & O_PATH) == 0)
      return parts.extras->read(listed.value()->get(), item.device, entry.path, entry.attributes);
  }
  constexpr int kFlags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
  const int kind = is_directory ? O_DIRECTORY : 0;
  Fd fd(::openat(directory, name.c_str(), kFlags | kind | O_NOATIME));
  if (!fd.valid() && errno == EPERM) fd = Fd(::openat(directory, name.c_str(), kFlags | kind));
  if (!fd.valid()) return {};
  struct stat st;
  const bool same = ::fstat(fd.get(), &st) == 0 && st.st_ino == item.stamp.inode;
  return same ? parts.extras->read(fd.get(), item.device, entry.path, entry.attributes) : Result<void>();
}

}  // namespace

Result<void> FileSource::complete(Item& item) {
  model::Entry& entry = item.entry;
  entry.attributes.user = parts_->names.user(entry.attributes.uid);
  entry.attributes.group = parts_->names.group(entry.attributes.gid);
  const bool above = parts_->roots.is_above(entry.path);
  // Of a directory above the roots it is "." that is asked, since its name may be a link.
  const SharedFd directory = TRY(parts_->beneath.directory(above ? entry.path : parent_of(entry.path)));
  const std::string name(above ? std::string_view(".") : leaf_of(entry.path));
  if (entry.attributes.type == model::FileType::symlink) {
    TRY(read_target(directory->get(), name, entry.path, entry.target));
  }
  const auto extras = read_extras(*parts_, directory->get(), name, item);
  TRY(read_xattrs(directory->get(), name, "/" + entry.path, entry.attributes.xattrs));
  return extras.ok() ? Result<void>() : extras.error().copy();
}

Result<std::unique_ptr<Content>> FileSource::open(const Item& item) {
  const std::string& path = item.entry.path;
  const SharedFd directory = TRY(parts_->beneath.directory(parent_of(path)));
  return FileContent::open(directory->get(), std::string(leaf_of(path)), path, *parts_->extras);
}

}  // namespace holdfast::source
