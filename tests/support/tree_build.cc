#include "tests/support/tree_build.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "base/check.h"

namespace holdfast::test {

namespace {

void must(bool done, const char* what) {
  if (done) return;
  std::perror(what);
  std::abort();
}

}  // namespace

TempTree::TempTree() {
  std::string name = (std::filesystem::temp_directory_path() / "holdfast-test-XXXXXX").string();
  must(::mkdtemp(name.data()) != nullptr, "mkdtemp");
  path_ = name;
}

TempTree::~TempTree() {
  // std::filesystem can't remove what is deeper than PATH_MAX; rm can.
  const std::string command = "chmod -R u+rwX -- " + path_ + " 2>/dev/null; rm -rf -- " + path_;
  if (std::system(command.c_str()) != 0) std::perror("rm");
}

void TempTree::directory(std::string_view name, unsigned mode) const {
  std::error_code failure;
  std::filesystem::create_directories(at(name), failure);
  must(!failure && ::chmod(at(name).c_str(), mode) == 0, "mkdir");
}

void TempTree::file(std::string_view name, std::string_view content, unsigned mode) const {
  const std::size_t slash = name.rfind('/');
  if (slash != name.npos && !std::filesystem::exists(at(name.substr(0, slash))))
    directory(name.substr(0, slash));
  const int fd = ::open(at(name).c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0600);
  must(fd >= 0, "open");
  must(::write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size()), "write");
  must(::fchmod(fd, mode) == 0, "fchmod");
  ::close(fd);
}

void TempTree::symlink(std::string_view name, const std::string& target) const {
  must(::symlink(target.c_str(), at(name).c_str()) == 0, "symlink");
}

void TempTree::link(std::string_view name, std::string_view existing) const {
  must(::link(at(existing).c_str(), at(name).c_str()) == 0, "link");
}

void TempTree::fifo(std::string_view name, unsigned mode) const {
  must(::mkfifo(at(name).c_str(), mode) == 0, "mkfifo");
}

void TempTree::xattr(std::string_view name, const char* key, std::string_view value) const {
  must(::lsetxattr(at(name).c_str(), key, value.data(), value.size(), 0) == 0, key);
}

void TempTree::mtime(std::string_view name, long seconds, long nanoseconds) const {
  const timespec times[2] = {{0, UTIME_OMIT}, {seconds, nanoseconds}};
  must(::utimensat(AT_FDCWD, at(name).c_str(), times, AT_SYMLINK_NOFOLLOW) == 0, "utimensat");
}

namespace {

// user::rw-, user:1234:r--, group::r--, mask::rw-, other::--- as the kernel has it: version 2, then (tag,
// permissions, id) each.
std::string access_acl(bool directory) {
  std::string acl;
  const auto number = [&](unsigned value, int bytes) {
    for (int i = 0; i < bytes; ++i) acl += static_cast<char>(value >> (8 * i));
  };
  const unsigned x = directory ? 1 : 0;
  number(2, 4);
  const std::array<std::array<unsigned, 3>, 5> entries{{{0x01, 6 | x, 0xffffffffu},
                                                        {0x02, 4 | x, 1234},
                                                        {0x04, 4 | x, 0xffffffffu},
                                                        {0x10, 6 | x, 0xffffffffu},
                                                        {0x20, 0, 0xffffffffu}}};
  for (const auto& [tag, permissions, id] : entries) {
    number(tag, 2);
    number(permissions, 2);
    number(id, 4);
  }
  return acl;
}

void build_special(const TempTree& tree) {
  tree.fifo("special/fifo", 0622);
  if (::geteuid() == 0) {
    must(::mknod(tree.at("special/null").c_str(), S_IFCHR | 0666, ::makedev(1, 3)) == 0, "mknod");
    must(::mknod(tree.at("special/disk").c_str(), S_IFBLK | 0640, ::makedev(259, 300)) == 0, "mknod");
    must(::lchown(tree.at("special/fifo").c_str(), 1001, 1002) == 0, "lchown");
    tree.xattr("special/null", "trusted.holdfast", "on a device");
    tree.file("special/owned", "not ours", 0640);
    must(::lchown(tree.at("special/owned").c_str(), 4242, 4343) == 0, "lchown");
    tree.file("special/capable", "ping", 0755);
    const unsigned char capability[20] = {0, 0, 0, 2, 0, 0x20, 0, 0};  // cap_net_raw=p
    tree.xattr("special/capable", "security.capability", {reinterpret_cast<const char*>(capability), 20});
    tree.symlink("special/foreign-link", "owned");
    must(::lchown(tree.at("special/foreign-link").c_str(), 4242, 4343) == 0, "lchown");
  }
}

void build_modes(const TempTree& tree) {
  tree.file("plain.txt", "hello\n");
  tree.file("empty", "");
  std::string big(300000, 'x');
  big += "end";
  tree.file("big", big);
  tree.file("unreadable-by-others", "secret", 0600);
  tree.file("read-only", "r", 0444);
  tree.file("no-permissions", "n", 0);
  tree.file("suid", "s", 04755);
  tree.file("sgid", "g", 02755);
  tree.directory("sticky", 01777);
  tree.directory("sgid-directory", 02750);
  tree.file("sgid-directory/inside", "i");
  tree.directory("empty-directory", 0700);
  tree.directory("closed");
  tree.file("closed/inside", "c");
  must(::chmod(tree.at("closed").c_str(), 0500) == 0, "chmod");
}

void build_names(const TempTree& tree) {
  tree.directory("names");
  for (const char* name :
       {"new\nline", "in\xffvalid\xc3", " blank ", "-rf", "*", "quote\"'", "\\", "\x01", "caf\u00e9"}) {
    tree.file("names/" + std::string(name), name);
  }
  tree.file("names/" + std::string(255, 'n'), "long");
  // The order that a naive comparison of whole paths gets wrong.
  tree.file("order/a/x", "1");
  tree.file("order/a-b", "2");
  tree.file("order/a.b/x", "3");
  tree.file("order/ab", "4");
}

void build_links(const TempTree& tree) {
  tree.directory("links");
  tree.symlink("links/dangling", "nowhere/at/all");
  tree.symlink("links/absolute", "/etc/passwd");
  tree.symlink("links/up", "../..");
  tree.symlink("links/long", std::string(4000, 'l'));
  tree.file("links/one", "linked");
  tree.link("links/two", "links/one");
  tree.directory("links/below");
  tree.link("links/below/three", "links/one");
}

void build_holes(const TempTree& tree) {
  tree.file("sparse", "");
  must(::truncate(tree.at("sparse").c_str(), 10 << 20) == 0, "truncate");
  const int fd = ::open(tree.at("sparse").c_str(), O_WRONLY);
  must(::pwrite(fd, "middle", 6, 5 << 20) == 6, "pwrite");
  ::close(fd);
  tree.file("all-hole", "");
  must(::truncate(tree.at("all-hole").c_str(), 1 << 20) == 0, "truncate");
}

void build_xattrs(const TempTree& tree) {
  tree.file("xattrs", "x");
  tree.xattr("xattrs", "user.note", "kept");
  tree.xattr("xattrs", "user.empty", "");
  tree.xattr("xattrs", "user.long", std::string(2000, 'v'));
  tree.xattr("sticky", "user.on-directory", std::string("\0binary\xff", 8));
  tree.file("acl", "a", 0640);
  tree.xattr("acl", "system.posix_acl_access", access_acl(false));
  tree.directory("acl-directory");
  tree.xattr("acl-directory", "system.posix_acl_access", access_acl(true));
  tree.xattr("acl-directory", "system.posix_acl_default", access_acl(true));
  tree.file("acl-directory/no-acl", "n");
  must(::removexattr(tree.at("acl-directory/no-acl").c_str(), "system.posix_acl_access") == 0, "removexattr");
}

}  // namespace

void build_zoo(const TempTree& tree) {
  build_modes(tree);
  build_names(tree);
  build_links(tree);
  build_holes(tree);
  build_xattrs(tree);
  tree.directory("special");
  build_special(tree);

  tree.mtime("plain.txt", 1234567890, 123456789);
  tree.mtime("empty", -86400 * 365, 999999999);  // 1969
  tree.mtime("links/dangling", 1000000000, 1);
  tree.mtime("empty-directory", 4000000000, 5);  // 2096
}

void build_deep(const TempTree& tree) {
  // 40 components of 200 bytes: twice PATH_MAX.
  const int here = ::open(".", O_RDONLY | O_DIRECTORY);
  tree.directory("deep");
  must(::chdir(tree.at("deep").c_str()) == 0, "chdir");
  const std::string name(200, 'd');
  for (int i = 0; i < 40; ++i) must(::mkdir(name.c_str(), 0750) == 0 && ::chdir(name.c_str()) == 0, "mkdir");
  const int fd = ::open("bottom", O_CREAT | O_WRONLY, 0644);
  must(fd >= 0 && ::write(fd, "far down", 8) == 8, "write");
  ::close(fd);
  must(::symlink("bottom", "link") == 0 && ::fchdir(here) == 0, "symlink");
  ::close(here);
}

int run_unprivileged(int (*body)(const std::string& argument), const std::string& argument) {
  const pid_t child = ::fork();
  must(child >= 0, "fork");
  if (child == 0) {
    if (::geteuid() == 0) {
      constexpr unsigned kNobody = 65534;
      must(::setgroups(0, nullptr) == 0 && ::setgid(kNobody) == 0 && ::setuid(kNobody) == 0, "setuid");
    }
    ::_exit(body(argument));
  }
  int status = 0;
  must(::waitpid(child, &status, 0) == child, "waitpid");
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace holdfast::test
