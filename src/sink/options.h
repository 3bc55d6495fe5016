// What a restore is told to do and what it tells back. Plain values.
#pragma once

#include <functional>
#include <string>

#include "base/error.h"

namespace holdfast::sink {

// What happens to an object that is there already.
enum class Overwrite : std::uint8_t {
  always,      // brought to the snapshot's state; content is compared block by block
  if_changed,  // the same, but a file of equal size and mtime is taken to have the right content
  if_newer,    // only where the snapshot's mtime is the later one
  never,
};

// What the sink will do for an entry.
enum class Action : std::uint8_t {
  create,    // nothing is there, or something of another kind, which is removed first
  update,    // a regular file is there: what differs is written
  metadata,  // content, target or kind are right: only mode, owner, times and xattrs are set
  skip,      // nothing at all
};

// Something of an object that couldn't be restored; the rest of it was.
struct Warning {
  std::string path;
  std::string what;  // "owner", "mode", "times", "project", "xattr user.note", "flags ia"
  Error error;
};

struct DirectoryOptions {
  Overwrite overwrite = Overwrite::if_changed;
  bool numeric_owner = false;  // by the numbers; else by the names, where the machine knows them
  bool dry_run = false;        // only decide() is called
  bool sparse = false;         // blocks of zeros become holes, besides those that were holes
  // Called from any thread, also from several at once.
  std::function<void(const Warning&)> warn = [](const Warning&) {};
};

}  // namespace holdfast::sink
