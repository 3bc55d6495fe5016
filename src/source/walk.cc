#include "source/walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/sysmacros.h>

#include <cerrno>

#include "base/open_beneath.h"

namespace holdfast::source {

namespace {

// Outer directories beyond this many are closed and opened again on the way back.
constexpr std::size_t kOpenFrames = 48;

constexpr unsigned kWanted = STATX_BASIC_STATS | STATX_BTIME;

constexpr int kList = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK;

model::FileType type_of(std::uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return model::FileType::directory;
    case S_IFLNK:
      return model::FileType::symlink;
    case S_IFIFO:
      return model::FileType::fifo;
    case S_IFSOCK:
      return model::FileType::socket;
    case S_IFCHR:
      return model::FileType::char_device;
    case S_IFBLK:
      return model::FileType::block_device;
    default:
      return model::FileType::regular;
  }
}

model::Time time_of(const statx_timestamp& t) { return {t.tv_sec, t.tv_nsec}; }

// Resets `item` to `path` and nothing else, keeping its memory.
void clear(Item& item, std::string_view path) {
  item.entry.path.assign(path);
  model::Attributes& attributes = item.entry.attributes;
  attributes.type = model::FileType::regular;
  attributes.mode = attributes.uid = attributes.gid = 0;
  attributes.user.clear();
  attributes.group.clear();
  attributes.xattrs.clear();
  attributes.flags = attributes.project = 0;
  item.entry.mtime = {};
  item.entry.birth.reset();
  item.entry.size_bytes = 0;
  item.entry.content.clear();
  item.entry.target.clear();
  item.entry.device = item.entry.link_group = 0;
  item.entry.changed_while_read = false;
  item.stamp = {};
  item.device = 0;
  item.links = 1;
  item.problem.clear();
}

void fill(Item& item, const struct statx& stx) {
  model::Attributes& attributes = item.entry.attributes;
  attributes.type = type_of(stx.stx_mode);
  attributes.mode = stx.stx_mode & 07777u;
  attributes.uid = stx.stx_uid;
  attributes.gid = stx.stx_gid;
  item.entry.mtime = time_of(stx.stx_mtime);
  if ((stx.stx_mask & STATX_BTIME) != 0) item.entry.birth = time_of(stx.stx_btime);
  if (S_ISREG(stx.stx_mode)) item.entry.size_bytes = stx.stx_size;
  if (S_ISCHR(stx.stx_mode) || S_ISBLK(stx.stx_mode)) {
    item.entry.device = ::gnu_dev_makedev(stx.stx_rdev_major, stx.stx_rdev_minor);
  }
  item.stamp = {stx.stx_ino, time_of(stx.stx_ctime)};
  item.device = ::gnu_dev_makedev(stx.stx_dev_major, stx.stx_dev_minor);
  item.links = stx.stx_nlink;
}

std::string problem_text(const char* what, int failure) { return errno_error(failure, what).text(); }

}  // namespace

Walk::Walk(Roots& roots, const Filters& filters, Beneath& beneath)
    : roots_(roots), filters_(filters), beneath_(beneath) {}

Walk::Frame& Walk::push() {
  if (depth_ == frames_.size()) frames_.push_back(std::make_unique<Frame>());
  if (depth_ >= kOpenFrames) frames_[depth_ - kOpenFrames]->directory = nullptr;
  Frame& frame = *frames_[depth_++];
  frame.listing.clear();
  frame.at = 0;
  frame.path_length = path_.size();
  frame.above = false;
  return frame;
}

void Walk::pop() {
  if (!ignores_.empty() && ignores_.back().depth == depth_) ignores_.pop_back();
  frames_[--depth_]->directory = nullptr;
  if (depth_ == 0) return;
  Frame& outer = *frames_[depth_ - 1];
  path_.resize(outer.path_length);
  if (outer.directory != nullptr) return;
  auto reopened = beneath_.directory(path_);
  if (reopened.ok()) {
    outer.directory = std::move(reopened).value();
  } else {
    // What is left here can't be reached by its path any more: removed, or renamed while we were below.
    outer.at = outer.listing.size();
  }
}

Result<void> Walk::start() {
  Fd top(::open("/", kList));
  if (!top.valid()) return errno_error(errno, "open /");
  auto directory = std::make_shared<const Fd>(std::move(top));
  if (!roots_.all().front().path.empty()) {
    enter_above(0, roots_.all().size(), std::move(directory));
    return {};
  }
  Frame& frame = push();
  frame.first_root = 0;
  if (const int failure = frame.listing.read(directory->get()); failure != 0)
    return errno_error(failure, "list /");
  frame.directory = std::move(directory);
  struct stat st;
  if (::fstat(frame.directory->get(), &st) == 0) root_device_ = st.st_dev;
  look_around(frame, true);
  return {};
}

Result<bool> Walk::next(Item& item) {
  if (!started_) {
    started_ = true;
    TRY(start());
  }
  while (depth_ > 0) {
    Frame& frame = *frames_[depth_ - 1];
    if (frame.at == frame.listing.size()) {
      pop();
      continue;
    }
    const Seen seen = TRY(visit(frame, frame.at++, item));
    if (seen == Seen::emit) return true;
  }
  return false;
}

// A directory above the roots [first_root, end_root): its listing is the components that lead to them.
void Walk::enter_above(std::size_t first_root, std::size_t end_root, SharedFd directory) {
  Frame& frame = push();
  frame.above = true;
  frame.first_root = first_root;
  frame.end_root = end_root;
  frame.directory = std::move(directory);
  const std::size_t skip = path_.empty() ? 0 : path_.size() + 1;
  std::string_view last;
  for (std::size_t r = first_root; r < end_root; ++r) {
    const std::string_view rest = std::string_view(roots_.all()[r].path).substr(skip);
    const std::string_view name = rest.substr(0, rest.find('/'));
    if (name != last) frame.listing.add(name, DT_DIR);
    last = name;
  }
  frame.listing.sort();
}

Result<Walk::Seen> Walk::visit(Frame& frame, std::size_t i, Item& item) {
  const std::string_view name = frame.listing.name(i);
  path_.resize(frame.path_length);
  if (!path_.empty()) path_ += '/';
  path_ += name;
  std::size_t root = frame.first_root;
  if (frame.above) {
    while (std::string_view(roots_.all()[root].path).substr(0, path_.size()) != path_ ||
           (roots_.all()[root].path.size() > path_.size() && roots_.all()[root].path[path_.size()] != '/')) {
      ++root;
    }
    frame.first_root = root;
    if (roots_.all()[root].path != path_) {
      std::size_t end = root + 1;
      while (end < frame.end_root && roots_.all()[end].path.starts_with(path_ + "/")) ++end;
      return visit_above(root, end, frame.directory->get(), name.data(), item);
    }
  }
  clear(item, path_);
  struct statx stx;
  constexpr int kFlags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
  if (::statx(frame.directory->get(), name.data(), kFlags, kWanted, &stx) != 0) {
    const int failure = errno;
    if (frame.above) return errno_error(failure, "can't back up /" + path_);  // a root that went away
    if (failure == ENOENT) return Seen::skip;
    item.entry.attributes.type = type_of(static_cast<std::uint32_t>(DTTOIF(frame.listing.type(i))));
    item.problem = problem_text("stat", failure);
  } else {
    fill(item, stx);
    if (frame.above) root_device_ = item.device;
    if (!frame.above && left_out(item, stx)) return Seen::skip;
    const bool enters = S_ISDIR(stx.stx_mode) && !(filters_.one_file_system && item.device != root_device_);
    if (enters && enter(root, frame.above, frame.directory->get(), name.data(), item) == Seen::skip) {
      return Seen::skip;
    }
  }
  ++roots_.all()[root].entries;
  return Seen::emit;
}

Result<Walk::Seen> Walk::visit_above(std::size_t first_root, std::size_t end_root, int directory,
                                     const char* name, Item& item) {
  Fd fd(::openat(directory, name, O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return errno_error(errno, "can't back up /" + roots_.all()[first_root].path);
  struct statx stx;
  if (::statx(fd.get(), "", AT_EMPTY_PATH, kWanted, &stx) != 0) return errno_error(errno, "stat /" + path_);
  TRY(beneath_.recognise(path_, fd));
  clear(item, path_);
  fill(item, stx);
  enter_above(first_root, end_root, std::make_shared<const Fd>(std::move(fd)));
  return Seen::emit;
}

// Lists the directory `name`, which is at path_, so that the walk goes on in it.
Walk::Seen Walk::enter(std::size_t root, bool is_root, int directory, const char* name, Item& item) {
  Fd fd = open_beneath(directory, name, kList | O_NOATIME);
  if (!fd.valid() && errno == EPERM) fd = open_beneath(directory, name, kList);
  if (!fd.valid()) {
    if (errno == ENOENT) return Seen::skip;
    item.problem = problem_text("list", errno);
    return Seen::emit;
  }
  Frame& frame = push();
  frame.first_root = root;
  if (const int failure = frame.listing.read(fd.get()); failure != 0)
    item.problem = problem_text("list", failure);
  frame.directory = std::make_shared<const Fd>(std::move(fd));
  beneath_.remember(path_, frame.directory);
  look_around(frame, is_root);
  return Seen::emit;
}

void Walk::look_around(Frame& frame, bool is_root) {
  if (!is_root) {
    if (const auto tag = find_tag(filters_, frame.directory->get(), frame.listing)) {
      frame.listing.keep_only(tag->name);
      if (filters_.on_excluded) filters_.on_excluded(path_, "all but " + tag->name + ", which asks for that");
      return;
    }
  }
  auto rules = read_ignore_file(filters_, frame.directory->get(), frame.listing, path_);
  if (rules) ignores_.push_back({depth_, path_.size(), std::move(*rules)});
}

const Rule* Walk::rule_for(bool is_directory) const {
  if (const Rule* rule = filters_.rules.match(path_, is_directory)) return rule;
  for (std::size_t i = ignores_.size(); i-- > 0;) {
    const std::size_t skip = ignores_[i].path_length == 0 ? 0 : ignores_[i].path_length + 1;
    const Rule* rule = ignores_[i].rules.match(std::string_view(path_).substr(skip), is_directory);
    if (rule != nullptr) return rule;
  }
  return nullptr;
}

bool Walk::left_out(const Item& item, const struct statx& stx) {
  const bool is_directory = S_ISDIR(stx.stx_mode);
  std::string reason;
  if (const Rule* rule = rule_for(is_directory); rule != nullptr && !rule->pattern.negated()) {
    if (filters_.on_excluded) reason = fmt::format("{}:{}: {}", rule->origin, rule->line, rule->text);
  } else if (S_ISREG(stx.stx_mode) && filters_.larger_than_bytes &&
             stx.stx_size > *filters_.larger_than_bytes) {
    reason = "larger than the limit";
  } else if (filters_.one_file_system && !is_directory && item.device != root_device_) {
    reason = "on another file system";
  } else if (filters_.nodump && (stx.stx_attributes & STATX_ATTR_NODUMP) != 0) {
    reason = "has the attribute nodump";
  } else {
    return false;
  }
  if (filters_.on_excluded) filters_.on_excluded(path_, reason);
  return true;
}

}  // namespace holdfast::source
