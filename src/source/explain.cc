#include "source/explain.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>

#include "base/beneath.h"
#include "base/fd.h"

namespace holdfast::source {

namespace {

std::string text_of(const Rule& rule) {
  if (rule.line == 0) return fmt::format("{}: {}", rule.origin, rule.text);
  return fmt::format("{}:{}: {}", rule.origin, rule.line, rule.text);
}

// The way from a root down to the path, one component after the other.
class Descent {
 public:
  Descent(const Root& root, const Filters& filters, std::string_view path)
      : root_(root), filters_(filters), path_(path) {}

  Result<Verdict> run();

 private:
  struct Facts {
    bool present = false;
    struct statx stx {};
    bool is_directory() const { return present && S_ISDIR(stx.stx_mode); }
    std::uint64_t device() const { return ::gnu_dev_makedev(stx.stx_dev_major, stx.stx_dev_minor); }
  };
  static Result<Facts> look(int directory, const std::string& name);
  Result<std::optional<Verdict>> enter(std::string_view at, std::string_view next);
  std::optional<Verdict> judge(std::string_view at, const Facts& facts, bool is_last);
  const Rule* rule_for(std::string_view at, bool is_directory) const;
  static Verdict out(std::string_view at, std::string reason, bool present = true) {
    return {false, present, std::string(at), std::move(reason)};
  }

  const Root& root_;
  const Filters& filters_;
  const std::string_view path_;
  Fd directory_;
  std::uint64_t device_ = 0;
  std::string kept_;  // the rule that took the path back, if any
  struct Ignore {
    std::size_t path_length;
    Rules rules;
  };
  std::vector<Ignore> ignores_;
};

Result<Descent::Facts> Descent::look(int directory, const std::string& name) {
  Facts facts;
  constexpr int kFlags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
  facts.present = ::statx(directory, name.c_str(), kFlags, STATX_BASIC_STATS, &facts.stx) == 0;
  if (!facts.present && errno != ENOENT && errno != ENOTDIR) return errno_error(errno, "look at " + name);
  return facts;
}

const Rule* Descent::rule_for(std::string_view at, bool is_directory) const {
  if (const Rule* rule = filters_.rules.match(at, is_directory)) return rule;
  for (std::size_t i = ignores_.size(); i-- > 0;) {
    const std::size_t skip = ignores_[i].path_length == 0 ? 0 : ignores_[i].path_length + 1;
    if (const Rule* rule = ignores_[i].rules.match(at.substr(skip), is_directory)) return rule;
  }
  return nullptr;
}

// Opens the directory `at`; a verdict where nothing below it comes.
Result<std::optional<Verdict>> Descent::enter(std::string_view at, std::string_view next) {
  const std::string absolute = "/" + std::string(at);
  directory_ = Fd(::open(absolute.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!directory_.valid()) return errno_error(errno, "list " + absolute);
  Listing listing;
  if (const int failure = listing.read(directory_.get()); failure != 0)
    return errno_error(failure, "list " + absolute);
  if (at != root_.path) {
    if (const auto tag = find_tag(filters_, directory_.get(), listing)) {
      if (next == tag->name) return std::optional<Verdict>();
      return std::optional(out(at, "its " + tag->name + " asks to leave out all but itself"));
    }
  }
  auto rules = read_ignore_file(filters_, directory_.get(), listing, at);
  if (rules) ignores_.push_back({at.size(), std::move(*rules)});
  return std::optional<Verdict>();
}

// A verdict where what is at `at` is left out.
std::optional<Verdict> Descent::judge(std::string_view at, const Facts& facts, bool is_last) {
  const bool is_directory = facts.present ? facts.is_directory() : !is_last;
  const Rule* rule = rule_for(at, is_directory);
  if (rule != nullptr && !rule->pattern.negated()) return out(at, text_of(*rule), facts.present);
  if (rule != nullptr && is_last) kept_ = text_of(*rule);
  if (!facts.present) return std::nullopt;
  if (S_ISREG(facts.stx.stx_mode) && filters_.larger_than_bytes &&
      facts.stx.stx_size > *filters_.larger_than_bytes) {
    return out(at, fmt::format("larger than {} bytes", *filters_.larger_than_bytes));
  }
  if (filters_.one_file_system && !is_directory && facts.device() != device_)
    return out(at, "on another file system");
  if (filters_.nodump && (facts.stx.stx_attributes & STATX_ATTR_NODUMP) != 0)
    return out(at, "has the attribute nodump");
  return std::nullopt;
}

Result<Verdict> Descent::run() {
  const Facts top = TRY(look(AT_FDCWD, "/" + root_.path));
  device_ = top.device();
  std::size_t end = root_.path.size();
  bool present = top.present;
  bool is_directory = top.is_directory();
  while (end < path_.size()) {
    const std::string_view above = path_.substr(0, end);
    const std::size_t begin = end == 0 ? 0 : end + 1;
    end = std::min(path_.find('/', begin), path_.size());
    const std::string_view at = path_.substr(0, end);
    const std::string name(path_.substr(begin, end - begin));
    if (present && !is_directory) return out(above, "is no folder, so nothing is below it", false);
    Facts facts;
    if (present) {
      auto verdict = TRY(enter(above, name));
      if (verdict) return std::move(*verdict);
      facts = TRY(look(directory_.get(), name));
    }
    const bool is_last = end == path_.size();
    if (auto verdict = judge(at, facts, is_last)) return std::move(*verdict);
    if (!is_last && facts.is_directory() && filters_.one_file_system && facts.device() != device_)
      return out(at, "another file system is mounted there");
    present = facts.present;
    is_directory = facts.is_directory();
  }
  return Verdict{true, present, std::string(path_), kept_};
}

}  // namespace

Result<Verdict> explain(const Roots& roots, const Filters& filters, std::string_view path) {
  for (const Root& root : roots.all()) {
    if (!is_at_or_below(path, root.path)) continue;
    if (path == root.path) return Verdict{true, true, std::string(path), "named as what to back up"};
    return Descent(root, filters, path).run();
  }
  if (roots.is_above(path)) return Verdict{true, true, std::string(path), "leads to what is backed up"};
  return Verdict{false, true, std::string(path), "below none of the paths to back up"};
}

}  // namespace holdfast::source
