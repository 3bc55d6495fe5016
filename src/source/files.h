// FileSource: files of this machine's file systems, below one or several roots. The entries' paths are
// absolute without the leading '/', and the directories above each root come too, so that a backup of
// /home/ann yields home, home/ann and all below. A symbolic link is an object of its own, a root that is one
// as well; only above a root are links followed. What vanishes while it is walked is left out silently; what
// can't be examined is an item with a problem; a root that isn't there is an error. At most about a hundred
// descriptors are open, besides the Contents handed out.
#pragma once

#include "source/filters.h"
#include "source/roots.h"
#include "source/source.h"

namespace holdfast::source {

struct FileOptions {
  std::vector<std::string> roots;  // files or directories, at least one
  Filters filters;
};

class FileSource : public Source {
 public:
  // Errors: not_found naming the root, usage.
  static Result<std::unique_ptr<FileSource>> make(FileOptions options);
  ~FileSource() override;

  Result<bool> next(Item& item, std::stop_token stop) override;
  Result<void> complete(Item& item) override;
  Result<std::unique_ptr<Content>> open(const Item& item) override;
  bool repeatable() const override { return true; }
  Result<void> restart() override;

  // The roots, in order, and what was found there so far; for the thread of next(). A mount that isn't there
  // shows as a root of one entry that is no mount point.
  const std::vector<Root>& roots() const;

 private:
  struct Parts;
  explicit FileSource(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace holdfast::source
