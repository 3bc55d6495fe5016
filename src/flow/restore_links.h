// The further names of files that a restore has met: they are linked when all files are there. One thread.
#pragma once

#include <map>

#include "flow/restore_worker.h"

namespace holdfast::flow {

class LaterNames {
 public:
  // Whether the entry is one more name of what was handed out before: then it is taken.
  bool take(model::Entry& entry);
  // Errors are told to the context. Where the target allows no more names of one file, that is told too, and
  // the entry gets a content of its own, to which those that follow are linked.
  void link_all(RestoreContext& context, std::stop_token stop);

 private:
  struct File {
    std::string first;                   // the name that others are linked to
    std::vector<model::Extent> content;  // once there are others
  };
  void make_copy(const model::Entry& entry, RestoreContext& context, std::stop_token stop);

  std::unique_ptr<RestoreWorker> copier_;  // once there is something to copy

  std::map<std::uint64_t, File> files_;  // by link group
  std::vector<model::Entry> names_;      // without content
};

}  // namespace holdfast::flow
