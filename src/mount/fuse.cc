#include "mount/fuse.h"

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

#include "base/fd.h"

namespace holdfast::mount {

namespace {

constexpr double kLastsSeconds = 24 * 3600;
constexpr double kViewSeconds = 1;
constexpr std::uint64_t kFirstCookie = 2;  // of a folder's names, behind "." and ".."
constexpr std::size_t kBlock = 512;        // st_blocks counts these

struct Server {
  FileSystem& files;
  const ServeOptions& options;
  std::stop_token stop;
};

Server& server(fuse_req_t request) { return *static_cast<Server*>(fuse_req_userdata(request)); }

// Requested when whoever asked gives up, or all ends.
class Patience {
 public:
  explicit Patience(fuse_req_t request)
      : request_(request), outer_(server(request).stop, [this] { stop_.request_stop(); }) {
    fuse_req_interrupt_func(request_, &interrupted, &stop_);
  }
  ~Patience() { fuse_req_interrupt_func(request_, nullptr, nullptr); }
  Patience(const Patience&) = delete;
  Patience& operator=(const Patience&) = delete;
  std::stop_token token() const { return stop_.get_token(); }

 private:
  static void interrupted(fuse_req_t, void* stop) { static_cast<std::stop_source*>(stop)->request_stop(); }

  fuse_req_t request_;
  std::stop_source stop_;
  std::stop_callback<std::function<void()>> outer_;
};

// Calls into the file system with a token that an interrupt requests, which ends before the reply.
template <typename Call>
auto ask(fuse_req_t request, Call call) {
  const Patience patience(request);
  return call(server(request).files, patience.token());
}

void reply(fuse_req_t request, const Error& error) {
  const Errc kind = error.kind();
  if (kind == Errc::not_found || kind == Errc::usage || kind == Errc::stopped) {
    fuse_reply_err(request, kind == Errc::not_found ? ENOENT : kind == Errc::usage ? EINVAL : EINTR);
    return;
  }
  server(request).options.complain(error);
  fuse_reply_err(request, EIO);
}

constexpr std::array<std::uint32_t, 7> kKinds = {S_IFREG,  S_IFDIR, S_IFLNK, S_IFIFO,
                                                 S_IFSOCK, S_IFCHR, S_IFBLK};

struct stat stat_of(const Status& status) {
  struct stat st {};
  st.st_ino = status.file;
  st.st_mode = kKinds[static_cast<std::size_t>(status.type)] | status.mode;
  st.st_nlink = status.links;
  st.st_uid = status.uid;
  st.st_gid = status.gid;
  st.st_rdev = status.device;
  st.st_size = static_cast<off_t>(status.size_bytes);
  st.st_blksize = 128 * kKiB;
  st.st_blocks = static_cast<blkcnt_t>((status.stored_bytes + kBlock - 1) / kBlock);
  st.st_mtim = {status.mtime.seconds, status.mtime.nanoseconds};
  st.st_atim = st.st_ctim = st.st_mtim;
  return st;
}

fuse_entry_param entry_of(const Status& status) {
  fuse_entry_param entry{};
  entry.ino = status.inode;
  entry.attr = stat_of(status);
  entry.attr_timeout = entry.entry_timeout = status.lasts ? kLastsSeconds : kViewSeconds;
  return entry;
}

void init(void*, fuse_conn_info* connection) {
  connection->want &= ~static_cast<unsigned>(FUSE_CAP_SPLICE_READ);  // requests are small
  connection->max_readahead = 1 * kMiB;
}

void init_with_acls(void* data, fuse_conn_info* connection) {
  init(data, connection);
  connection->want |= connection->capable & FUSE_CAP_POSIX_ACL;
}

void lookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
  const auto found =
      ask(request, [&](FileSystem& files, std::stop_token stop) { return files.find(parent, name, stop); });
  if (!found.ok()) return reply(request, found.error());
  const fuse_entry_param entry = entry_of(found.value());
  fuse_reply_entry(request, &entry);
}

void forget(fuse_req_t request, fuse_ino_t, std::uint64_t) { fuse_reply_none(request); }
void forget_multi(fuse_req_t request, std::size_t, fuse_forget_data*) { fuse_reply_none(request); }

void getattr(fuse_req_t request, fuse_ino_t inode, fuse_file_info*) {
  const auto status =
      ask(request, [&](FileSystem& files, std::stop_token stop) { return files.status(inode, stop); });
  if (!status.ok()) return reply(request, status.error());
  const struct stat st = stat_of(status.value());
  fuse_reply_attr(request, &st, status.value().lasts ? kLastsSeconds : kViewSeconds);
}

void readlink(fuse_req_t request, fuse_ino_t inode) {
  const auto target =
      ask(request, [&](FileSystem& files, std::stop_token stop) { return files.link_target(inode, stop); });
  if (!target.ok()) return reply(request, target.error());
  fuse_reply_readlink(request, target.value().c_str());
}

OpenFile& file_of(const fuse_file_info* info) {
  return *reinterpret_cast<OpenFile*>(static_cast<std::uintptr_t>(info->fh));
}
OpenFolder& folder_of(const fuse_file_info* info) {
  return *reinterpret_cast<OpenFolder*>(static_cast<std::uintptr_t>(info->fh));
}

void open(fuse_req_t request, fuse_ino_t inode, fuse_file_info* info) {
  if ((info->flags & O_ACCMODE) != O_RDONLY) {
    fuse_reply_err(request, EROFS);
    return;
  }
  auto file =
      ask(request, [&](FileSystem& files, std::stop_token stop) { return files.open_file(inode, stop); });
  if (!file.ok()) return reply(request, file.error());
  std::unique_ptr<OpenFile> opened = std::move(file).value();
  info->fh = reinterpret_cast<std::uintptr_t>(opened.get());
  info->keep_cache = 1;  // it never changes
  if (fuse_reply_open(request, info) == 0) static_cast<void>(opened.release());
}

void release(fuse_req_t request, fuse_ino_t, fuse_file_info* info) {
  const std::unique_ptr<OpenFile> closed(&file_of(info));
  fuse_reply_err(request, 0);
}

void read(fuse_req_t request, fuse_ino_t, std::size_t size, off_t offset, fuse_file_info* info) {
  Buffer bytes(size);
  const auto got = ask(request, [&](FileSystem& files, std::stop_token stop) {
    return files.read(file_of(info), static_cast<std::uint64_t>(offset), bytes, stop);
  });
  if (!got.ok()) return reply(request, got.error());
  fuse_reply_buf(request, reinterpret_cast<const char*>(bytes.data()), got.value());
}

void seek(fuse_req_t request, fuse_ino_t, off_t offset, int whence, fuse_file_info* info) {
  const auto found = FileSystem::seek(file_of(info), static_cast<std::uint64_t>(offset), whence == SEEK_HOLE);
  if (!found) {
    fuse_reply_err(request, ENXIO);
    return;
  }
  fuse_reply_lseek(request, static_cast<off_t>(*found));
}

void opendir(fuse_req_t request, fuse_ino_t inode, fuse_file_info* info) {
  auto folder = std::make_unique<OpenFolder>(
      ask(request, [&](FileSystem& files, std::stop_token stop) { return files.open_folder(inode, stop); }));
  info->fh = reinterpret_cast<std::uintptr_t>(folder.get());
  info->keep_cache = info->cache_readdir = folder->views == nullptr ? 1 : 0;
  if (fuse_reply_open(request, info) == 0) static_cast<void>(folder.release());
}

void releasedir(fuse_req_t request, fuse_ino_t, fuse_file_info* info) {
  const std::unique_ptr<OpenFolder> closed(&folder_of(info));
  fuse_reply_err(request, 0);
}

// The reply to a readdir: names until it is full.
class Names {
 public:
  Names(fuse_req_t request, std::size_t size, bool plus) : request_(request), bytes_(size), plus_(plus) {}

  bool add(std::string_view name, std::uint64_t next, const Status* status) {
    fuse_entry_param entry{};
    if (status != nullptr) entry = entry_of(*status);
    if (status == nullptr) entry.attr.st_ino = ~0U;  // there is something; no more is known
    const std::string text(name);
    char* to = reinterpret_cast<char*>(bytes_.data()) + used_;
    const std::size_t left = bytes_.size() - used_;
    const auto cookie = static_cast<off_t>(next);
    const std::size_t took = plus_ ? fuse_add_direntry_plus(request_, to, left, text.c_str(), &entry, cookie)
                                   : fuse_add_direntry(request_, to, left, text.c_str(), &entry.attr, cookie);
    if (took > left) return false;
    used_ += took;
    return true;
  }
  bool add_dot(std::string_view name, std::uint64_t next) {
    Status status;
    status.inode = 0;
    status.file = kTopInode;
    return add(name, next, &status);
  }
  bool empty() const { return used_ == 0; }
  void send() { fuse_reply_buf(request_, reinterpret_cast<const char*>(bytes_.data()), used_); }

 private:
  fuse_req_t request_;
  Buffer bytes_;
  std::size_t used_ = 0;
  const bool plus_;
};

void list(fuse_req_t request, std::size_t size, off_t offset, const fuse_file_info* info, bool plus) {
  Names names(request, size, plus);
  auto from = static_cast<std::uint64_t>(offset);
  if (from == 0 && names.add_dot(".", 1)) from = 1;
  if (from == 1 && names.add_dot("..", kFirstCookie)) from = kFirstCookie;
  const auto done = ask(request, [&](FileSystem& files, std::stop_token stop) {
    const auto each = [&](std::string_view name, std::uint64_t next, const Status* status) {
      return names.add(name, next + kFirstCookie, status);
    };
    return files.list(folder_of(info), from - kFirstCookie, each, stop);
  });
  if (!done.ok() && names.empty()) return reply(request, done.error());
  names.send();  // what comes after is asked for again
}

template <bool kPlus>
void readdir(fuse_req_t request, fuse_ino_t, std::size_t size, off_t offset, fuse_file_info* info) {
  list(request, size, offset, info, kPlus);
}

void reply_sized(fuse_req_t request, const std::string& text, std::size_t size) {
  if (size == 0) {
    fuse_reply_xattr(request, text.size());
  } else if (text.size() > size) {
    fuse_reply_err(request, ERANGE);
  } else {
    fuse_reply_buf(request, text.data(), text.size());
  }
}

void getxattr(fuse_req_t request, fuse_ino_t inode, const char* name, std::size_t size) {
  const auto all =
      ask(request, [&](FileSystem& files, std::stop_token stop) { return files.xattrs(inode, stop); });
  if (!all.ok()) return reply(request, all.error());
  for (const model::Xattr& xattr : all.value()) {
    if (xattr.name == name) return reply_sized(request, xattr.value, size);
  }
  fuse_reply_err(request, ENODATA);
}

void listxattr(fuse_req_t request, fuse_ino_t inode, std::size_t size) {
  const auto all =
      ask(request, [&](FileSystem& files, std::stop_token stop) { return files.xattrs(inode, stop); });
  if (!all.ok()) return reply(request, all.error());
  std::string names;
  for (const model::Xattr& xattr : all.value()) names.append(xattr.name).append(1, '\0');
  reply_sized(request, names, size);
}

void statfs(fuse_req_t request, fuse_ino_t) {
  struct statvfs fs {};
  fs.f_bsize = fs.f_frsize = 4 * kKiB;
  fs.f_namemax = 255;
  fuse_reply_statfs(request, &fs);
}

fuse_lowlevel_ops operations(bool acls) {
  fuse_lowlevel_ops ops{};
  ops.init = acls ? &init_with_acls : &init;
  ops.lookup = &lookup;
  ops.forget = &forget;
  ops.forget_multi = &forget_multi;
  ops.getattr = &getattr;
  ops.readlink = &readlink;
  ops.open = &open;
  ops.release = &release;
  ops.read = &read;
  ops.lseek = &seek;
  ops.opendir = &opendir;
  ops.releasedir = &releasedir;
  ops.readdir = &readdir<false>;
  ops.readdirplus = &readdir<true>;
  ops.getxattr = &getxattr;
  ops.listxattr = &listxattr;
  ops.statfs = &statfs;
  return ops;
}

// What libfuse said last, which it tells nobody otherwise. Any of its threads may speak.
std::mutex words_mutex;
std::string last_words;  // guarded by words_mutex

void remember_words(fuse_log_level, const char* format, va_list arguments) {
  std::array<char, 512> text{};
  std::vsnprintf(text.data(), text.size(), format, arguments);
  const std::lock_guard lock(words_mutex);
  last_words = text.data();
  while (last_words.ends_with('\n')) last_words.pop_back();
}

// Ended by whatever way serve() is left.
struct Session {
  fuse_session* session = nullptr;
  bool mounted = false;
  ~Session() {
    if (mounted) fuse_session_unmount(session);
    if (session != nullptr) fuse_session_destroy(session);
  }
};

void wake(int fd) {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t woken = ::write(fd, &one, sizeof one);
}

// Answers requests until it is unmounted, or `wake_fd` tells to end. One thread waits, else all wake.
Result<void> answer(fuse_session* session, int wake_fd, std::mutex& waiting) {
  fuse_buf buffer{};
  std::array<pollfd, 2> fds{pollfd{fuse_session_fd(session), POLLIN, 0}, pollfd{wake_fd, POLLIN, 0}};
  while (fuse_session_exited(session) == 0) {
    std::unique_lock lock(waiting);
    if (::poll(fds.data(), fds.size(), -1) < 0) continue;
    if (fds[1].revents != 0) break;
    const int got = fuse_session_receive_buf(session, &buffer);
    if (got == -EINTR || got == -EAGAIN) continue;
    if (got <= 0) break;
    lock.unlock();
    fuse_session_process_buf(session, &buffer);
  }
  std::free(buffer.mem);
  wake(wake_fd);  // the others
  return {};
}

std::string mount_options(const ServeOptions& options) {
  std::string text = "ro,nosuid,nodev,fsname=holdfast,subtype=holdfast";
  if (options.allow_other) text += ",allow_other";
  if (options.default_permissions) text += ",default_permissions";
  return text;
}

Error mount_error(const ServeOptions& options) {
  const std::lock_guard lock(words_mutex);
  std::string words = "can't mount at " + options.target;
  if (!last_words.empty()) words += ": " + last_words;
  return Error(Errc::failed, std::move(words))
      .hint(
          "it takes /dev/fuse, the package fuse3, and for --allow-other user_allow_other in /etc/fuse.conf");
}

}  // namespace

Result<void> serve(FileSystem& files, const ServeOptions& options, std::stop_token stop) {
  struct stat st {};
  if (::stat(options.target.c_str(), &st) != 0) return errno_error(errno, "mount at " + options.target);
  if (!S_ISDIR(st.st_mode)) return Error(Errc::usage, options.target + " is no directory to mount at");
  Server server{files, options, stop};
  const fuse_lowlevel_ops ops = operations(options.default_permissions);
  std::string name = "holdfast";
  std::string flag = "-o";
  std::string text = mount_options(options);
  std::array<char*, 4> words{name.data(), flag.data(), text.data(), nullptr};
  fuse_args arguments = FUSE_ARGS_INIT(3, words.data());
  fuse_set_log_func(&remember_words);
  Session session;
  session.session = fuse_session_new(&arguments, &ops, sizeof ops, &server);
  fuse_opt_free_args(&arguments);
  if (session.session == nullptr) return mount_error(options);
  if (fuse_session_mount(session.session, options.target.c_str()) != 0) return mount_error(options);
  session.mounted = true;
  const int fd = fuse_session_fd(session.session);
  const Fd waker(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!waker.valid() || ::fcntl(fd, F_SETFL, O_NONBLOCK) != 0) return errno_error(errno, "mount");
  options.mounted();
  const std::stop_callback ends(stop, [&] { wake(waker.get()); });
  std::mutex waiting;
  TaskGroup threads;
  for (unsigned i = 0; i < options.threads; ++i)
    threads.spawn([&](std::stop_token) { return answer(session.session, waker.get(), waiting); });
  return threads.wait();
}

}  // namespace holdfast::mount
