// FileContent: the bytes of one open regular file. See Content.
#pragma once

#include "base/fd.h"
#include "source/inode_extras.h"
#include "source/source.h"

namespace holdfast::source {

class FileContent : public Content {
 public:
  // Opens the regular file `name` in the directory open at `directory`, without following a link and, where
  // allowed, without touching its access time. `path` is for messages. `extras` outlives it.
  static Result<std::unique_ptr<Content>> open(int directory, const std::string& name, std::string path,
                                               InodeExtras& extras);

  Result<std::size_t> read(std::uint64_t offset, MutableBytes out) override;
  Result<std::vector<std::pair<std::uint64_t, std::uint64_t>>> data_runs(std::uint64_t from,
                                                                         std::uint64_t to) override;
  Result<void> complete(model::Attributes& attributes) override;
  Result<bool> unchanged_since(const Item& item) override;

 private:
  FileContent(Fd fd, std::string path, InodeExtras& extras)
      : fd_(std::move(fd)), path_(std::move(path)), extras_(extras) {}

  Fd fd_;
  std::string path_;
  InodeExtras& extras_;
  std::uint64_t device_ = 0;
  bool may_have_holes_ = true;
};

}  // namespace holdfast::source
