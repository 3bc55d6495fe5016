#include "mount/fuse.h"

#include <fmt/core.h>
#include <unistd.h>

#include <array>
#include <ctime>

#include "cli/commands.h"
#include "cli/snapshot_view.h"
#include "cli/wire.h"

namespace holdfast::cli {

void declare(Syntax& syntax, MountOptions& options) {
  syntax.argument("TARGET", &options.target, "an existing directory").required = true;
  declare_filter(syntax, options.filter);
  syntax.option("--path-template", "TEMPLATE", &options.templates,
                "where snapshots are shown, of %i %I %h %u %T %t %p; replaces ids/%i, snapshots/%T, "
                "hosts/%h/%T, tags/%t/%T and paths/%p/%T");
  syntax.option("--time-template", "FORMAT", &options.time_template,
                "how %T shows a time, in the letters of date(1); default: 2026-08-01T12:34:56+02:00");
  syntax.flag("--allow-other", &options.allow_other,
              "other users may look at it, too, as far as modes let them; without paths/");
  syntax.flag("--no-default-permissions", &options.no_default_permissions,
              "everybody who may look at it sees everything, whatever the modes of the files say");
  syntax.flag("--owner-root", &options.owner_root, "show everything as root's");
  syntax.option("--timeout", "SECONDS", &options.timeout_s,
                "how long a read waits for the store before it fails; default: 60");
}

namespace {

constexpr std::uint64_t kTimeoutSecondsMax = 24 * 3600;

Result<std::string> time_name(const model::Time& time, const std::string& format) {
  if (format.empty()) return time_text(time);
  const std::time_t seconds = time.seconds;
  std::tm civil{};
  std::array<char, 256> text{};
  if (::localtime_r(&seconds, &civil) == nullptr ||
      std::strftime(text.data(), text.size(), format.c_str(), &civil) == 0) {
    return Error(Errc::usage,
                 fmt::format("--time-template \"{}\" gives no name, or a very long one", format));
  }
  return std::string(text.data());
}

Result<std::vector<mount::SnapshotPtr>> snapshots_of(const flow::SnapshotList& list,
                                                     const MountOptions& options) {
  const auto picked = TRY(list.pick_all({}, filter_of(options.filter)));
  std::vector<mount::SnapshotPtr> snapshots;
  for (auto at = picked.rbegin(); at != picked.rend(); ++at) {
    const model::Commit& commit = (*at)->commit;
    if (commit.roots.empty()) continue;
    const std::string time = TRY(time_name(commit.start, options.time_template));
    snapshots.push_back(std::make_shared<mount::Snapshot>(
        mount::Snapshot{(*at)->id, commit.start, time, commit.host, commit.user, commit.paths, (*at)->tags,
                        commit.roots.front()}));
  }
  return snapshots;
}

// Lines on standard error, from any thread.
class Complaints {
 public:
  explicit Complaints(bool json) : json_(json) {}

  void add(const Error& error) {
    const std::lock_guard lock(mutex_);
    ++count_;
    const std::string text = error.text();
    if (text == last_) return;  // a kernel tries again at once
    last_ = text;
    tell_error(json_, text);
  }
  std::uint64_t count() const {
    const std::lock_guard lock(mutex_);
    return count_;
  }

 private:
  const bool json_;
  mutable std::mutex mutex_;  // guards all below
  std::uint64_t count_ = 0;
  std::string last_;
};

Result<mount::FileSystemOptions> file_system_options(const MountOptions& options, Complaints& complaints) {
  mount::FileSystemOptions out;
  if (!options.templates.empty()) out.templates = options.templates;
  // Below a %p others would see what lies in folders that are closed to them.
  const auto shows_inside = [](const std::string& text) { return text.find("%p") != text.npos; };
  if (options.allow_other && !options.no_default_permissions) {
    if (std::any_of(options.templates.begin(), options.templates.end(), shows_inside))
      return Error(Errc::usage,
                   "a --path-template with %p would show others what lies in folders closed to them")
          .hint("leave out --allow-other; or add --no-default-permissions if they may see everything");
    std::erase_if(out.templates, shows_inside);
  }
  for (const std::string& pattern : out.templates) TRY(mount::check_template(pattern));
  out.owner_root = options.owner_root;
  out.uid = ::geteuid();
  out.gid = ::getegid();
  out.roster.complain = [&complaints](const Error& error) {
    complaints.add(error.copy().context("the list of snapshots could not be read again"));
  };
  if (options.timeout_s) {
    if (*options.timeout_s == 0 || *options.timeout_s > kTimeoutSecondsMax)
      return Error(Errc::usage, "--timeout must be 1 to 86400 seconds");
    out.chunks.patience_ns = static_cast<std::int64_t>(*options.timeout_s) * 1'000'000'000;
  }
  return out;
}

void tell_mounted(Context& context, const MountOptions& options) {
  if (context.global.json) {
    context.out.line(JsonObject().add("message_type", "mounted").add("target", options.target).text());
  } else if (!context.global.quiet) {
    context.out.line(fmt::format("The snapshots are in {}\nCtrl-C, or `fusermount3 -u` there, ends it.",
                                 printable(options.target)));
  }
  context.out.flush();
}

}  // namespace

Result<int> run(Context& context, const MountOptions& options) {
  Complaints complaints(context.global.json);
  mount::FileSystemOptions shown = TRY(file_system_options(options, complaints));
  const Session session = TRY(open_session(context, kReading));
  repo::LogState log;
  int unreadable = 0;
  {
    const flow::SnapshotList list = TRY(flow::SnapshotList::readable(*session.repository, context.stop));
    log = list.history().log;
    unreadable = warn_unreadable(context, list.history());
  }
  const auto load = [&](std::stop_token stop) -> Result<std::vector<mount::SnapshotPtr>> {
    const flow::SnapshotList list = TRY(flow::SnapshotList::readable(*session.repository, stop));
    return snapshots_of(list, options);
  };
  const auto files =
      TRY(mount::FileSystem::open(*session.repository, log, load, std::move(shown), context.stop));
  mount::ServeOptions serving;
  serving.target = options.target;
  serving.allow_other = options.allow_other;
  serving.default_permissions = !options.no_default_permissions;
  serving.mounted = [&] { tell_mounted(context, options); };
  serving.complain = [&](const Error& error) { complaints.add(error); };
  TRY(mount::serve(*files, serving, context.stop));
  return complaints.count() > 0 ? exit_code(Errc::partial) : unreadable;
}

}  // namespace holdfast::cli
