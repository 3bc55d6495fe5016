#include "sink/directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <cerrno>
#include <filesystem>

#include "base/confine.h"
#include "base/inode_flags.h"
#include "base/names_in.h"
#include "base/open_beneath.h"
#include "model/flags.h"
#include "sink/remove.h"

namespace holdfast::sink {

namespace {

constexpr int kOpenDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

mode_t kind_bits(model::FileType type) {
  switch (type) {
    case model::FileType::regular:
      return S_IFREG;
    case model::FileType::directory:
      return S_IFDIR;
    case model::FileType::symlink:
      return S_IFLNK;
    case model::FileType::fifo:
      return S_IFIFO;
    case model::FileType::socket:
      return S_IFSOCK;
    case model::FileType::char_device:
      return S_IFCHR;
    case model::FileType::block_device:
      return S_IFBLK;
  }
  return 0;
}

// Leads to the object of a descriptor, also one that is open with O_PATH.
std::string magic_link(int fd) { return fmt::format("/proc/self/fd/{}", fd); }

// What makes a program run with more rights than who starts it has.
bool gives_rights(const model::Entry& entry) {
  const auto& xattrs = entry.attributes.xattrs;
  return entry.attributes.type == model::FileType::regular &&
         ((entry.attributes.mode & (S_ISUID | S_ISGID)) != 0 ||
          std::any_of(xattrs.begin(), xattrs.end(),
                      [](const model::Xattr& x) { return x.name == "security.capability"; }));
}

// Opens a directory to set its attributes.
Result<Fd> open_directory(int directory, const char* name, const std::string& path, bool& is_path) {
  Fd fd = open_beneath(directory, name, kOpenDirectory);
  is_path = !fd.valid() && errno == EACCES;
  if (is_path) fd = open_beneath(directory, name, kOpenDirectory | O_PATH);
  if (!fd.valid()) return errno_error(errno, "open directory " + path);
  return fd;
}

Result<bool> is_empty(int directory) {
  Fd copy(::openat(directory, ".", kOpenDirectory));
  if (!copy.valid()) return errno_error(errno, "open the target");
  const auto names = TRY(names_in(copy.get()));
  return names.empty();
}

}  // namespace

DirectorySink::DirectorySink(SharedFd top, DirectoryOptions options)
    : options_(std::move(options)), top_(std::move(top)), beneath_(top_), attributes_(options_) {}

Result<void> DirectorySink::confine(std::span<const int> also) const {
  HF_ASSERT(top_ != nullptr);
  std::vector<int> writable(also.begin(), also.end());
  writable.push_back(top_->get());
  return confine_writing(writable);
}

Result<std::unique_ptr<DirectorySink>> DirectorySink::make(const std::string& target,
                                                           DirectoryOptions options) {
  std::error_code failure;
  if (!options.dry_run) std::filesystem::create_directories(target, failure);
  Fd top(::open(target.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!top.valid() && errno == ENOENT && options.dry_run) {
    std::unique_ptr<DirectorySink> sink(new DirectorySink(nullptr, std::move(options)));
    sink->fresh_ = true;
    return sink;
  }
  if (!top.valid()) return errno_error(failure ? failure.value() : errno, "restore to " + target);
  auto shared = std::make_shared<const Fd>(std::move(top));
  std::unique_ptr<DirectorySink> sink(new DirectorySink(shared, std::move(options)));
  sink->fresh_ = TRY_AS(is_empty(shared->get()), "restore to " + target);
  if (!sink->options_.dry_run) TRY(sink->examine_existing(shared->get(), target, true));
  return sink;
}

// What the directory is. One that was there may hand its group or its default ACL to what is made in it.
Result<model::Entry> DirectorySink::examine_existing(int fd, const std::string& path, bool is_target) {
  struct stat st;
  if (::fstat(fd, &st) != 0) return errno_error(errno, "stat " + path);
  model::Entry was;
  was.path = path;
  was.attributes.type = model::FileType::directory;
  was.attributes.mode = st.st_mode & 07777;
  was.mtime = {st.st_mtim.tv_sec, static_cast<std::uint32_t>(st.st_mtim.tv_nsec)};
  const bool has_default_acl = ::fgetxattr(fd, "system.posix_acl_default", nullptr, 0) > 0;
  std::uint32_t flags = 0;
  std::uint32_t project = 0;
  if (get_inode_flags(fd, flags) == 0) was.attributes.flags = flags & model::kept_flags();
  const bool gives_project = (flags & model::kFlagProjectInherit) != 0 && get_project(fd, project) == 0;
  // Flags are given on too; those that forbid changes aren't, and are taken away until it is finished.
  constexpr std::uint32_t kLocks = model::kFlagImmutable | model::kFlagAppendOnly;
  const bool gives_flags = (was.attributes.flags & ~kLocks) != 0;
  if ((st.st_mode & S_ISGID) != 0 || has_default_acl || gives_flags || gives_project)
    attributes_.be_careful();
  if (!is_target && (flags & kLocks) != 0) set_inode_flags(fd, flags & ~kLocks);
  // One of our own that we can't write to (finish_directory and put_back set its mode anew).
  if (!is_target && st.st_uid == ::geteuid() && (st.st_mode & S_IRWXU) != S_IRWXU) {
    static_cast<void>(::chmod(magic_link(fd).c_str(), (st.st_mode & 07777) | S_IRWXU));
  }
  return was;
}

Result<DirectorySink::Place> DirectorySink::place(std::string_view path) {
  if (!is_plain_path(path)) {
    return Error(Errc::damaged, fmt::format("\"{}\" is no path that can be restored: refused", path));
  }
  SharedFd directory = TRY(beneath_.directory(parent_of(path)));
  return Place{std::move(directory), std::string(leaf_of(path))};
}

Result<Action> DirectorySink::decide(const model::Entry& entry) {
  if (fresh_)
    return is_plain_path(entry.path) ? Result<Action>(Action::create) : place(entry.path).error().copy();
  auto found = place(entry.path);
  if (!found.ok()) {
    if (found.error().kind() == Errc::not_found) return Action::create;  // with its directory
    return std::move(found).error();
  }
  struct stat st;
  const Place& at = found.value();
  if (::fstatat(at.directory->get(), at.name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return Action::create;
    return errno_error(errno, "stat " + entry.path);
  }
  const model::FileType type = entry.attributes.type;
  const bool same_kind = (st.st_mode & S_IFMT) == kind_bits(type);
  const model::Time mtime{st.st_mtim.tv_sec, static_cast<std::uint32_t>(st.st_mtim.tv_nsec)};
  if (type == model::FileType::directory && same_kind) {
    // What is in it is decided entry by entry.
    return options_.overwrite == Overwrite::never ? Action::skip : Action::metadata;
  }
  if (options_.overwrite == Overwrite::never) return Action::skip;
  if (options_.overwrite == Overwrite::if_newer && entry.mtime <= mtime) return Action::skip;
  if (!same_kind) return Action::create;
  if (!may_keep(st, entry)) return Action::create;
  if (type == model::FileType::regular) {
    const bool same = static_cast<std::uint64_t>(st.st_size) == entry.size_bytes && mtime == entry.mtime;
    return options_.overwrite == Overwrite::if_changed && same ? Action::metadata : Action::update;
  }
  if (type == model::FileType::symlink) {
    std::string target(entry.target.size() + 1, '\0');
    const ssize_t got = ::readlinkat(at.directory->get(), at.name.c_str(), target.data(), target.size());
    target.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    return target == entry.target ? Action::metadata : Action::create;
  }
  const bool is_device = type == model::FileType::char_device || type == model::FileType::block_device;
  return is_device && st.st_rdev != entry.device ? Action::create : Action::metadata;
}

// Whether an object that is there may become what the entry says. Else it is replaced: an object with other
// names would change under these too; one of somebody else's, who may hold it open, must not come to hold
// what isn't his; and one that he may hold open for writing must never be a program with rights of its own.
bool DirectorySink::may_keep(const struct stat& st, const model::Entry& entry) {
  if (st.st_nlink > 1 || gives_rights(entry)) return false;
  return ::geteuid() != 0 || st.st_uid == 0 || st.st_uid == attributes_.uid_of(entry);
}

Result<void> DirectorySink::clear(const Place& place, std::string_view path) {
  if (fresh_) return {};
  const auto remove = [&](int flags) {
    return ::unlinkat(place.directory->get(), place.name.c_str(), flags);
  };
  if (remove(0) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR && errno != EPERM) return errno_error(errno, fmt::format("remove {}", path));
  const auto unlocked = Attributes::unlock(place.directory->get(), place.name.c_str());
  bool removed = unlocked && remove(0) == 0;
  if (!removed && errno != EPERM) {
    beneath_.forget(path);
    removed = remove(AT_REMOVEDIR) == 0;
  }
  if (unlocked) {  // what it still is elsewhere stays as it was
    struct stat st;
    const int failure = errno;
    if (!removed || (::fstat(unlocked->fd.get(), &st) == 0 && st.st_nlink > 0)) Attributes::relock(*unlocked);
    errno = failure;
  }
  if (removed) return {};
  if (errno == EPERM) return errno_error(errno, fmt::format("remove {}", path));
  return errno_error(errno,
                     fmt::format("remove the directory {}, in whose place something else belongs", path));
}

Result<std::optional<model::Entry>> DirectorySink::make_directory(const model::Entry& entry, bool keep) {
  using Was = std::optional<model::Entry>;
  const Place at = TRY(place(entry.path));
  if (::mkdirat(at.directory->get(), at.name.c_str(), 0700) == 0) {
    if (entry.attributes.flags != 0) {
      const Fd made = open_beneath(at.directory->get(), at.name.c_str(), kOpenDirectory);
      if (made.valid()) attributes_.prepare(made.get(), entry);
    }
    return Was();
  }
  if (errno != EEXIST) return errno_error(errno, "make directory " + entry.path);
  fresh_ = false;  // somebody else is at work in the target
  Fd there = open_beneath(at.directory->get(), at.name.c_str(), kOpenDirectory);
  const bool unreadable = !there.valid() && errno == EACCES;  // perhaps it can be searched
  if (unreadable) there = open_beneath(at.directory->get(), at.name.c_str(), kOpenDirectory | O_PATH);
  if (unreadable) attributes_.be_careful();  // what it gives on can't be seen
  if (there.valid()) {
    model::Entry was = TRY(examine_existing(there.get(), entry.path, false));
    return keep || options_.overwrite == Overwrite::never ? Was(std::move(was)) : Was();
  }
  if (errno != ENOTDIR && errno != ELOOP) return errno_error(errno, "open directory " + entry.path);
  if (options_.overwrite == Overwrite::never) {
    return Error(Errc::exists, entry.path + ": something that is no directory is in the way");
  }
  TRY(clear(at, entry.path));
  if (::mkdirat(at.directory->get(), at.name.c_str(), 0700) != 0) {
    return errno_error(errno, "make directory " + entry.path);
  }
  return Was();
}

Result<void> DirectorySink::finish_directory(const model::Entry& entry) {
  const Place at = TRY(place(entry.path));
  bool is_path = false;
  const Fd fd = TRY(open_directory(at.directory->get(), at.name.c_str(), entry.path, is_path));
  struct stat st;
  if (::fstat(fd.get(), &st) != 0) return errno_error(errno, "stat " + entry.path);
  // Whether it was made by us isn't remembered: a directory's attributes are set whole, unless it looks as we
  // make them in a fresh target.
  const bool as_made =
      fresh_ && st.st_uid == ::geteuid() && st.st_gid == ::getegid() && (st.st_mode & 07777) == 0700;
  attributes_.set({fd.get(), is_path}, entry, as_made ? 0700 : -1);
  return {};
}

Result<void> DirectorySink::put_back(const model::Entry& was) {
  const Place at = TRY(place(was.path));
  bool is_path = false;
  const Fd fd = TRY(open_directory(at.directory->get(), at.name.c_str(), was.path, is_path));
  attributes_.put_back({fd.get(), is_path}, was);
  return {};
}

namespace {

constexpr int kOpenFile = O_CLOEXEC | O_NOCTTY | O_NONBLOCK;

// Opens the regular file that is there; one of our own also where its mode forbids that (finish() sets it
// anew).
Fd open_existing(int directory, const char* name, int access) {
  Fd fd = open_beneath(directory, name, kOpenFile | access);
  if (!fd.valid() && errno == EPERM && Attributes::unlock(directory, name))
    return open_beneath(directory, name, kOpenFile | access);
  if (fd.valid() || errno != EACCES) return fd;
  const Fd handle = open_beneath(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  struct stat st;
  if (handle.valid() && ::fstat(handle.get(), &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 &&
      opened_name(handle.get(), name) != OpenedName::gone &&
      ::chmod(magic_link(handle.get()).c_str(), 0600) == 0) {
    return open_beneath(directory, name, kOpenFile | access);
  }
  errno = EACCES;
  return fd;
}

}  // namespace

// Opens the file that is there, as decide() saw it; not valid where it can only be replaced.
Result<void> DirectorySink::open_there(FileWriter& writer, const Place& at, const model::Entry& entry) {
  Fd fd = open_existing(at.directory->get(), at.name.c_str(), writer.keep_content_ ? O_RDONLY : O_RDWR);
  // A program that is running can't be written to, but replaced.
  if (!fd.valid() && errno == ETXTBSY) return {};
  struct stat st;
  if (!fd.valid() || ::fstat(fd.get(), &st) != 0) return errno_error(errno, "open " + entry.path);
  // Asked after its names were counted: see there. Where it can't be told, its content isn't touched.
  const OpenedName name = opened_name(fd.get(), at.name);
  const bool only_name = name == OpenedName::there || (name == OpenedName::unknown && writer.keep_content_);
  if (S_ISREG(st.st_mode) && may_keep(st, entry) && only_name) {
    writer.fd_ = std::move(fd);
    writer.old_size_ = static_cast<std::uint64_t>(st.st_size);
    return {};
  }
  if (!writer.keep_content_) return {};
  return Error(Errc::exists, entry.path + ": something else has taken its place meanwhile");
}

Result<std::unique_ptr<FileWriter>> DirectorySink::open_file(const model::Entry& entry, Action action) {
  if (action == Action::skip) return std::unique_ptr<FileWriter>();
  const Place at = TRY(place(entry.path));
  std::unique_ptr<FileWriter> writer(new FileWriter(beneath_, attributes_, entry.path, Fd()));
  writer->sparse_ = options_.sparse;
  writer->keep_content_ = action == Action::metadata;
  if (action != Action::create) TRY(open_there(*writer, at, entry));
  if (writer->fd_.valid()) return writer;
  TRY(clear(at, entry.path));
  const mode_t mode = attributes_.creation_mode(entry);
  constexpr int kCreate = kOpenFile | O_CREAT | O_EXCL | O_WRONLY;
  writer->fd_ = open_beneath(at.directory->get(), at.name.c_str(), kCreate, mode);
  if (!writer->fd_.valid()) return errno_error(errno, "open " + entry.path);
  writer->made_with_ = static_cast<int>(mode);
  attributes_.prepare(writer->fd_.get(), entry);
  return writer;
}

Result<void> DirectorySink::make_special(const model::Entry& entry, Action action) {
  const Place at = TRY(place(entry.path));
  const model::FileType type = entry.attributes.type;
  HF_ASSERT(type != model::FileType::regular && type != model::FileType::directory);
  if (action == Action::skip) return {};
  const int directory = at.directory->get();
  int made_with = -1;
  if (action != Action::metadata) {
    TRY(clear(at, entry.path));
    const int result = type == model::FileType::symlink
                           ? ::symlinkat(entry.target.c_str(), directory, at.name.c_str())
                           : ::mknodat(directory, at.name.c_str(), kind_bits(type) | 0600, entry.device);
    if (result != 0) return errno_error(errno, "make " + entry.path);
    made_with = 0600;
  }
  // Whoever may write to the directory can have put another object there since.
  const Fd handle = open_beneath(directory, at.name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC);
  struct stat st;
  if (!handle.valid() || ::fstat(handle.get(), &st) != 0) return errno_error(errno, "open " + entry.path);
  const bool is_device = type == model::FileType::char_device || type == model::FileType::block_device;
  if ((st.st_mode & S_IFMT) != kind_bits(type) || (is_device && st.st_rdev != entry.device) ||
      (made_with < 0 ? !may_keep(st, entry) : st.st_nlink > 1) ||
      opened_name(handle.get(), at.name) == OpenedName::gone) {
    return Error(Errc::exists, entry.path + ": something else has taken its place meanwhile");
  }
  attributes_.set({handle.get(), true}, entry, made_with);
  return {};
}

Result<void> DirectorySink::remove_others(const std::string& directory, const std::vector<std::string>& keep,
                                          const MayRemove& may_remove) {
  if (options_.dry_run && fresh_) return {};  // there may be no target at all
  auto found = beneath_.directory(directory);
  if (!found.ok()) {
    const bool would_be_made = options_.dry_run && found.error().kind() == Errc::not_found;
    return would_be_made ? Result<void>() : std::move(found).error();
  }
  const Fd fd(::openat(found.value()->get(), ".", kOpenDirectory));
  if (!fd.valid()) return errno_error(errno, "list " + directory);
  const std::vector<std::string> names = TRY(names_in(fd.get()));
  Result<void> trouble;  // the first; the others are removed all the same
  for (const std::string& name : names) {
    if (std::binary_search(keep.begin(), keep.end(), name)) continue;
    const std::string path = directory.empty() ? name : directory + "/" + name;
    struct stat st;
    if (::fstatat(fd.get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) continue;  // gone meanwhile
    if (!may_remove(path, S_ISDIR(st.st_mode))) continue;
    beneath_.forget(path);
    auto removed = remove_tree(fd.get(), name, path);
    if (!removed.ok() && trouble.ok()) trouble = std::move(removed);
  }
  return trouble;
}

Result<Fd> DirectorySink::read_back(std::string_view path) {
  const Place at = TRY(place(path));
  Fd fd = open_beneath(at.directory->get(), at.name.c_str(), kOpenFile | O_RDONLY);
  struct stat st;
  if (!fd.valid() || ::fstat(fd.get(), &st) != 0)
    return errno_error(errno, fmt::format("read back {}", path));
  if (!S_ISREG(st.st_mode)) return Error(Errc::exists, fmt::format("{}: no longer a regular file", path));
  return fd;
}

}  // namespace holdfast::sink
