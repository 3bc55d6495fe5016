#include "base/confine.h"

#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cerrno>

#include "base/fd.h"

namespace holdfast {

namespace {

// linux/landlock.h, by number: the headers of some systems that we build on are older than their kernels.
constexpr long kCreateRuleset = 444, kAddRule = 445, kRestrictSelf = 446;
constexpr unsigned kCreateRulesetVersion = 1;
constexpr unsigned kRulePathBeneath = 1;

struct RulesetAttributes {
  std::uint64_t handled_access_fs;
};
struct [[gnu::packed]] PathBeneath {
  std::uint64_t allowed_access;
  std::int32_t parent_fd;
};

constexpr std::uint64_t kExecute = 1u << 0;
constexpr std::uint64_t kWriteFile = 1u << 1;
constexpr std::uint64_t kRemoveAndMake = 0x1ff0;  // bits 4 to 12: REMOVE_DIR … MAKE_SYM
constexpr std::uint64_t kRefer = 1u << 13;        // version 2: links and renames between directories
constexpr std::uint64_t kTruncate = 1u << 14;     // version 3
constexpr std::uint64_t kIoctlDevice = 1u << 15;  // version 5

Error missing(const char* why) {
  return Error(Errc::unsupported, std::string("not confined to the target: ") + why);
}

}  // namespace

Result<void> confine_writing(std::span<const int> directories) {
  const long version = ::syscall(kCreateRuleset, nullptr, 0, kCreateRulesetVersion);
  if (version < 0 && errno == EOPNOTSUPP) return missing("Landlock is switched off in this kernel");
  if (version < 0) return missing("this kernel, or the filter that we run under, has no Landlock");
  if (version < 2) return missing("this kernel's Landlock would forbid hard links between directories");
  const std::uint64_t writing = kWriteFile | kRemoveAndMake | kRefer | (version >= 3 ? kTruncate : 0);
  const RulesetAttributes attributes{writing | kExecute | (version >= 5 ? kIoctlDevice : 0)};
  const Fd ruleset(static_cast<int>(::syscall(kCreateRuleset, &attributes, sizeof attributes, 0)));
  if (!ruleset.valid()) return errno_error(errno, "make a Landlock ruleset");
  for (const int directory : directories) {
    const PathBeneath rule{writing, directory};
    if (::syscall(kAddRule, ruleset.get(), kRulePathBeneath, &rule, 0) != 0)
      return errno_error(errno, "allow a directory in Landlock");
  }
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno_error(errno, "give up new privileges");
  if (::syscall(kRestrictSelf, ruleset.get(), 0) != 0) return errno_error(errno, "confine this process");
  return {};
}

}  // namespace holdfast
