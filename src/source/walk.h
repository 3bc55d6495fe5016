// Walk: the objects below some roots, and the directories above them, in the order of model::compare_paths,
// one statx each. Directories above a root may be reached through symbolic links and are told as directories,
// with only what leads to roots in them. One thread.
#pragma once

#include <sys/stat.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/beneath.h"
#include "source/filters.h"
#include "source/listing.h"
#include "source/roots.h"
#include "source/source.h"

namespace holdfast::source {

class Walk {
 public:
  // `beneath` has "/" at its top; open directories are remembered there.
  Walk(Roots& roots, const Filters& filters, Beneath& beneath);

  // See Source::next.
  Result<bool> next(Item& item);

 private:
  // A directory that is being walked.
  struct Frame {
    SharedFd directory;  // null: closed meanwhile, so that deep trees don't exhaust descriptors
    Listing listing;
    std::size_t at = 0;           // next name
    std::size_t path_length = 0;  // of the directory's path in path_
    // Above the roots: those below here are roots_[first_root, end_root). Else first_root is the root we are
    // in.
    bool above = false;
    std::size_t first_root = 0;
    std::size_t end_root = 0;
  };
  enum class Seen { skip, emit };
  // The ignore file of the directory at frames_[depth - 1], whose path has this length.
  struct Ignore {
    std::size_t depth = 0;
    std::size_t path_length = 0;
    Rules rules;
  };

  Frame& push();
  void enter_above(std::size_t first_root, std::size_t end_root, SharedFd directory);
  Result<void> start();
  Result<Seen> visit(Frame& frame, std::size_t i, Item& item);
  Result<Seen> visit_above(std::size_t first_root, std::size_t end_root, int directory, const char* name,
                           Item& item);
  Seen enter(std::size_t root, bool is_root, int directory, const char* name, Item& item);
  // What is done in every directory below a root, once it is listed.
  void look_around(Frame& frame, bool is_root);
  bool left_out(const Item& item, const struct statx& stx);
  const Rule* rule_for(bool is_directory) const;
  void pop();

  Roots& roots_;
  const Filters& filters_;
  Beneath& beneath_;
  std::vector<std::unique_ptr<Frame>> frames_;  // [0, depth_) in use, the rest kept for their memory
  std::size_t depth_ = 0;
  std::vector<Ignore> ignores_;  // from the outermost to the nearest
  std::string path_;
  std::uint64_t root_device_ = 0;
  bool started_ = false;
};

}  // namespace holdfast::source
