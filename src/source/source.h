// Source: one consistent view of what is to be backed up, as a stream of items in the order of
// model::compare_paths, and the content of regular files. next() and restart() are for one thread; open() and
// complete() for any.
#pragma once

#include <memory>
#include <optional>
#include <stop_token>

#include "base/result.h"
#include "model/entry.h"

namespace holdfast::source {

struct Item {
  model::Entry entry;  // without content
  model::Stamp stamp;
  // With stamp.inode, which file this is where it has several names (regular files, links > 1).
  std::uint64_t device = 0;
  std::uint64_t links = 1;
  // The size is not known before: the content is read once, in order, from its beginning to its end.
  bool stream = false;
  // Not empty: this object, or what is below this directory, could not be examined; why.
  std::string problem;
};

// The bytes of one regular file. One thread at a time.
class Content {
 public:
  virtual ~Content() = default;
  // Reads into `out` from `offset`, all of it unless the file ends before; returns how much.
  virtual Result<std::size_t> read(std::uint64_t offset, MutableBytes out) = 0;
  // Runs of [from, to) that may hold data, in order, without overlap; what is between is a hole.
  virtual Result<std::vector<std::pair<std::uint64_t, std::uint64_t>>> data_runs(std::uint64_t from,
                                                                                 std::uint64_t to) = 0;
  // Adds to the file's attributes what only an open file tells: chattr flags and project.
  virtual Result<void> complete(model::Attributes&) { return {}; }
  // False where the file is no longer as the item said (size, mtime, ctime): it changed while it was read.
  virtual Result<bool> unchanged_since(const Item& item) = 0;
};

class Source {
 public:
  virtual ~Source() = default;
  // The next item into `item` (whose memory is reused); false at the end. An error ends the backup.
  virtual Result<bool> next(Item& item, std::stop_token stop) = 0;
  // Adds what next() leaves out because it costs a system call each and an unchanged file doesn't need it:
  // target of a symlink, xattrs, names of owner and group; flags and project, but for regular files that are
  // not empty, which are opened anyway (Content::complete). On an error `item` holds what could be had.
  virtual Result<void> complete(Item& item) = 0;
  // Errors here concern this one file only: denied, not_found (vanished), …
  virtual Result<std::unique_ptr<Content>> open(const Item& item) = 0;
  // Whether restart() may be called; not where the content comes once, as a stream does.
  virtual bool repeatable() const = 0;
  // next() begins again at the first item, with what is there by now. No Content may be in use.
  virtual Result<void> restart() { return Error(Errc::unsupported, "this source can be read only once"); }
};

}  // namespace holdfast::source
