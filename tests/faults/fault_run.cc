// Runs a program and meddles with one of its system calls on files below given folders: kills it right before
// or after, makes the call fail, or makes it do less than was asked. By ptrace and a seccomp filter, so that
// only the calls in question stop, and programs need nothing linked in.
//
//   fault_run --root DIR … --list FILE -- COMMAND …
//       writes a line for each such call: kind, name, site
//   fault_run --root DIR … --at N --do kill-before|kill-after|short|ERRNO [--sticky KIND,…] -- COMMAND …
//       meddles with the N-th such call (from 1); with all later ones of these kinds too, if sticky
//
// A site is the call's name and its path from the last part of DIR on, with digits taken out: calls of one
// site come from one place in the program, more or less. Ends as the program did (128 + signal where it was
// killed); 125 where it failed itself, 124 where the program hung.
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace {

// How a call names its file.
enum class Where { fd, path, at_path, second_path };

struct Call {
  long number;
  const char* name;
  const char* kind;
  Where where;
  int argument;  // of the descriptor or path
};

// kind: read, write, sync, look (stat and the like), open (changed to create where it writes), name, change.
constexpr Call kCalls[] = {
    {SYS_read, "read", "read", Where::fd, 0},
    {SYS_pread64, "pread64", "read", Where::fd, 0},
    {SYS_readv, "readv", "read", Where::fd, 0},
    {SYS_preadv, "preadv", "read", Where::fd, 0},
    {SYS_getdents64, "getdents64", "look", Where::fd, 0},
    {SYS_write, "write", "write", Where::fd, 0},
    {SYS_pwrite64, "pwrite64", "write", Where::fd, 0},
    {SYS_writev, "writev", "write", Where::fd, 0},
    {SYS_pwritev, "pwritev", "write", Where::fd, 0},
    {SYS_copy_file_range, "copy_file_range", "write", Where::fd, 2},
    {SYS_fallocate, "fallocate", "write", Where::fd, 0},
    {SYS_ftruncate, "ftruncate", "write", Where::fd, 0},
    {SYS_fsync, "fsync", "sync", Where::fd, 0},
    {SYS_fdatasync, "fdatasync", "sync", Where::fd, 0},
    {SYS_sync_file_range, "sync_file_range", "sync", Where::fd, 0},
    {SYS_open, "open", "open", Where::path, 0},
    {SYS_openat, "openat", "open", Where::at_path, 0},
    {SYS_openat2, "openat2", "open", Where::at_path, 0},
    {SYS_creat, "creat", "create", Where::path, 0},
    {SYS_stat, "stat", "look", Where::path, 0},
    {SYS_lstat, "lstat", "look", Where::path, 0},
    {SYS_fstat, "fstat", "look", Where::fd, 0},
    {SYS_newfstatat, "newfstatat", "look", Where::at_path, 0},
    {SYS_statx, "statx", "look", Where::at_path, 0},
    {SYS_statfs, "statfs", "look", Where::path, 0},
    {SYS_readlink, "readlink", "look", Where::path, 0},
    {SYS_readlinkat, "readlinkat", "look", Where::at_path, 0},
    {SYS_fgetxattr, "fgetxattr", "look", Where::fd, 0},
    {SYS_flistxattr, "flistxattr", "look", Where::fd, 0},
    {SYS_lgetxattr, "lgetxattr", "look", Where::path, 0},
    {SYS_llistxattr, "llistxattr", "look", Where::path, 0},
    {SYS_flock, "flock", "lock", Where::fd, 0},
    {SYS_mkdir, "mkdir", "name", Where::path, 0},
    {SYS_mkdirat, "mkdirat", "name", Where::at_path, 0},
    {SYS_rmdir, "rmdir", "name", Where::path, 0},
    {SYS_unlink, "unlink", "name", Where::path, 0},
    {SYS_unlinkat, "unlinkat", "name", Where::at_path, 0},
    {SYS_link, "link", "name", Where::second_path, 1},
    {SYS_linkat, "linkat", "name", Where::at_path, 2},
    {SYS_rename, "rename", "name", Where::second_path, 1},
    {SYS_renameat, "renameat", "name", Where::at_path, 2},
    {SYS_renameat2, "renameat2", "name", Where::at_path, 2},
    {SYS_symlink, "symlink", "name", Where::second_path, 1},
    {SYS_symlinkat, "symlinkat", "name", Where::at_path, 1},
    {SYS_mknodat, "mknodat", "name", Where::at_path, 0},
    {SYS_fchmod, "fchmod", "change", Where::fd, 0},
    {SYS_chmod, "chmod", "change", Where::path, 0},
    {SYS_fchmodat, "fchmodat", "change", Where::at_path, 0},
    {SYS_fchown, "fchown", "change", Where::fd, 0},
    {SYS_fchownat, "fchownat", "change", Where::at_path, 0},
    {SYS_utimensat, "utimensat", "change", Where::at_path, 0},
    {SYS_fsetxattr, "fsetxattr", "change", Where::fd, 0},
    {SYS_fremovexattr, "fremovexattr", "change", Where::fd, 0},
};

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "fault_run: %s: %s\n", what.c_str(), std::strerror(errno));
  std::_Exit(125);
}

struct Plan {
  std::vector<std::string> roots;
  std::string list;
  unsigned long at = 0;
  std::string action;
  int error = 0;
  std::set<std::string> sticky;
  std::vector<char*> command;
};

int errno_named(const std::string& name) {
  static const std::map<std::string, int> kNames = {{"EIO", EIO},     {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT},
                                                    {"EROFS", EROFS}, {"EMFILE", EMFILE}, {"ENFILE", ENFILE},
                                                    {"EINTR", EINTR}, {"EACCES", EACCES}};
  const auto at = kNames.find(name);
  return at == kNames.end() ? 0 : at->second;
}

Plan plan_of(int argc, char** argv) {
  Plan plan;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--") {
      plan.command.assign(argv + i + 1, argv + argc);
      break;
    }
    if (i + 1 == argc) break;
    const std::string value = argv[++i];
    if (word == "--root") plan.roots.push_back(value);
    if (word == "--list") plan.list = value;
    if (word == "--at") plan.at = std::stoul(value);
    if (word == "--do") plan.action = value;
    if (word == "--sticky") {
      for (std::size_t from = 0; from <= value.size();) {
        const std::size_t comma = std::min(value.find(',', from), value.size());
        plan.sticky.insert(value.substr(from, comma - from));
        from = comma + 1;
      }
    }
  }
  plan.error = errno_named(plan.action);
  if (plan.command.empty()) {
    std::fputs("fault_run: no command; see the head of fault_run.cc\n", stderr);
    std::_Exit(125);
  }
  plan.command.push_back(nullptr);
  return plan;
}

// Stops the calls of the table, lets all others through.
void install_filter() {
  std::vector<sock_filter> program;
  const auto count = static_cast<unsigned char>(std::size(kCalls));
  program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
  for (unsigned char i = 0; i < count; ++i) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(kCalls[i].number),
                               static_cast<unsigned char>(count - i), 0));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE));
  sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) die("no_new_privs");
  if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) die("seccomp");
}

std::string link_target(const std::string& path) {
  std::array<char, 4096> text{};
  const ssize_t got = ::readlink(path.c_str(), text.data(), text.size());
  return got < 0 ? "" : std::string(text.data(), static_cast<std::size_t>(got));
}

std::string text_at(pid_t thread, unsigned long address) {
  std::string out;
  std::array<char, 256> piece{};
  while (out.size() < 4096) {
    // Within a page, so that the end of a mapping is no error.
    const std::size_t want = std::min<std::size_t>(piece.size(), 4096 - (address + out.size()) % 4096);
    const iovec here{piece.data(), want};
    // NOLINTNEXTLINE(performance-no-int-to-ptr): an address of the other process
    const iovec there{reinterpret_cast<void*>(address + out.size()), want};
    const ssize_t got = ::process_vm_readv(thread, &here, 1, &there, 1, 0);
    if (got <= 0) return out;
    const std::size_t end = std::string_view(piece.data(), static_cast<std::size_t>(got)).find('\0');
    if (end != std::string_view::npos) return out.append(piece.data(), end);
    out.append(piece.data(), static_cast<std::size_t>(got));
  }
  return out;
}

using Registers = user_regs_struct;

unsigned long argument(const Registers& r, int i) {
  const unsigned long all[] = {r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9};
  return all[i];
}

std::string path_of(pid_t thread, const Call& call, const Registers& r) {
  const std::string proc = "/proc/" + std::to_string(thread);
  const auto of_fd = [&](int fd) { return link_target(proc + "/fd/" + std::to_string(fd)); };
  const auto first = static_cast<int>(argument(r, call.argument));
  if (call.where == Where::fd) return of_fd(first);
  const int path_argument = call.where == Where::at_path ? call.argument + 1 : call.argument;
  const unsigned long address = argument(r, path_argument);
  const std::string path = address == 0 ? "" : text_at(thread, address);
  if (path.starts_with('/')) return path;
  const bool relative_to_fd = call.where == Where::at_path && first != AT_FDCWD;
  const std::string base = relative_to_fd ? of_fd(first) : link_target(proc + "/cwd");
  return path.empty() ? base : base + "/" + path;
}

// A file opened to be written, or made.
bool creates(pid_t thread, const Call& call, const Registers& r) {
  unsigned long flags = 0;
  if (call.number == SYS_open) flags = r.rsi;
  if (call.number == SYS_openat) flags = r.rdx;
  if (call.number == SYS_openat2) {
    const iovec here{&flags, sizeof flags};
    // NOLINTNEXTLINE(performance-no-int-to-ptr): an address of the other process
    const iovec there{reinterpret_cast<void*>(r.rdx), sizeof flags};
    if (::process_vm_readv(thread, &here, 1, &there, 1, 0) < 0) return false;
  }
  return (flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)) != 0;
}

std::string site_of(const std::string& path, const std::string& root) {
  std::string out = root.substr(root.rfind('/') + 1);
  for (std::size_t i = root.size(); i < path.size(); ++i) {
    const bool digit = std::isxdigit(static_cast<unsigned char>(path[i])) != 0;
    std::size_t end = i;
    while (end < path.size() && std::isxdigit(static_cast<unsigned char>(path[end]))) ++end;
    const bool number = digit && (end - i >= 8 || std::isdigit(static_cast<unsigned char>(path[i])) != 0 ||
                                  (end - i == 2 && i > 0 && path[i - 1] == '/'));
    out += number ? '#' : path[i];
    if (number) i = end - 1;
  }
  return out;
}

class Tracer {
 public:
  explicit Tracer(Plan plan) : plan_(std::move(plan)) {}
  int run();

 private:
  void stopped(pid_t thread, int status);
  void at_call(pid_t thread);
  bool is_due(const std::string& kind) const;
  void meddle(pid_t thread, const Call& call, Registers& r);
  static void resume(pid_t thread, __ptrace_request how, long signal = 0) {
    // It may have been killed meanwhile.
    if (::ptrace(how, thread, nullptr, signal) != 0 && errno != ESRCH) die("resume");
  }

  Plan plan_;
  pid_t child_ = 0;
  std::set<pid_t> known_;
  std::set<pid_t> kill_after_;  // threads in the call after which all die
  unsigned long seen_ = 0;
  bool begun_ = false;  // the fault has come about
  std::FILE* list_ = nullptr;
};

int Tracer::run() {
  if (!plan_.list.empty() && (list_ = std::fopen(plan_.list.c_str(), "we")) == nullptr) die(plan_.list);
  child_ = ::fork();
  if (child_ < 0) die("fork");
  if (child_ == 0) {
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) die("traceme");
    if (::raise(SIGSTOP) != 0) die("stop");
    install_filter();
    ::execv(plan_.command.front(), plan_.command.data());
    die(plan_.command.front());
  }
  int status = 0;
  if (::waitpid(child_, &status, __WALL) != child_) die("wait");
  constexpr long kOptions = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
                            PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL |
                            PTRACE_O_TRACESYSGOOD;
  if (::ptrace(PTRACE_SETOPTIONS, child_, nullptr, kOptions) != 0) die("options");
  known_.insert(child_);
  ::alarm(120);
  resume(child_, PTRACE_CONT);
  int result = 125;
  for (;;) {
    const pid_t thread = ::waitpid(-1, &status, __WALL);
    if (thread < 0 && errno == EINTR) continue;
    if (thread < 0) break;
    if (WIFSTOPPED(status)) {
      stopped(thread, status);
    } else if (thread == child_) {
      result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
  }
  if (list_ != nullptr && std::fclose(list_) != 0) die(plan_.list);
  return result;
}

void Tracer::stopped(pid_t thread, int status) {
  const int signal = WSTOPSIG(status);
  const int event = status >> 16;
  if (event == PTRACE_EVENT_SECCOMP) return at_call(thread);
  if (signal == (SIGTRAP | 0x80)) {  // the end of the call after which to kill
    if (kill_after_.contains(thread)) ::kill(child_, SIGKILL);
    return resume(thread, PTRACE_CONT);
  }
  if (event != 0) return resume(thread, PTRACE_CONT);
  const bool is_new = known_.insert(thread).second;
  resume(thread, PTRACE_CONT, is_new && signal == SIGSTOP ? 0 : signal);
}

void Tracer::at_call(pid_t thread) {
  known_.insert(thread);
  Registers r{};
  if (::ptrace(PTRACE_GETREGS, thread, nullptr, &r) != 0) return resume(thread, PTRACE_CONT);
  const Call* call = nullptr;
  for (const Call& candidate : kCalls) {
    if (candidate.number == static_cast<long>(r.orig_rax)) call = &candidate;
  }
  if (call == nullptr) return resume(thread, PTRACE_CONT);
  const std::string path = path_of(thread, *call, r);
  const std::string* root = nullptr;
  for (const std::string& candidate : plan_.roots) {
    if (path.starts_with(candidate)) root = &candidate;
  }
  if (root == nullptr) return resume(thread, PTRACE_CONT);
  ++seen_;
  const std::string kind =
      std::string(call->kind) == "open" && creates(thread, *call, r) ? "create" : call->kind;
  if (list_ != nullptr) {
    std::fprintf(list_, "%s %s %s\n", kind.c_str(), call->name, site_of(path, *root).c_str());
  }
  if (!is_due(kind)) return resume(thread, PTRACE_CONT);
  begun_ = true;
  meddle(thread, *call, r);
}

// Threads make their calls in no fixed order, so the one that has the number now may be of another kind than
// the one that had it when they were counted. Only reads and writes have a length to be cut.
bool Tracer::is_due(const std::string& kind) const {
  if (plan_.at == 0) return false;
  if (plan_.action == "short") return !begun_ && seen_ >= plan_.at && (kind == "read" || kind == "write");
  return seen_ == plan_.at || (begun_ && plan_.sticky.contains(kind));
}

void Tracer::meddle(pid_t thread, const Call& call, Registers& r) {
  if (plan_.action == "kill-before") {
    ::kill(child_, SIGKILL);
    return;
  }
  if (plan_.action == "kill-after") {
    kill_after_.insert(thread);
    return resume(thread, PTRACE_SYSCALL);
  }
  if (plan_.action == "short") {
    // Bytes, or of a list of buffers the number of them.
    const bool whole = call.number == SYS_fallocate || call.number == SYS_ftruncate || r.rdx < 2;
    if (!whole) r.rdx = r.rdx / 2;
  } else {
    r.orig_rax = static_cast<unsigned long>(-1);
    r.rax = static_cast<unsigned long>(-static_cast<long>(plan_.error));
  }
  if (::ptrace(PTRACE_SETREGS, thread, nullptr, &r) != 0 && errno != ESRCH) die("set registers");
  resume(thread, PTRACE_CONT);
}

}  // namespace

int main(int argc, char** argv) {
  Plan plan = plan_of(argc, argv);
  // A program that hangs is as bad as one that crashes.
  ::signal(SIGALRM, [](int) { std::_Exit(124); });  // EXITKILL takes the program along
  Tracer tracer(std::move(plan));
  return tracer.run();
}
