// Filters: what of a file tree is left out. Roots themselves and what is above them never are. Plain values,
// and the questions about them that need the file system.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "source/listing.h"
#include "source/pattern.h"

namespace holdfast::source {

// A file that, lying in a directory, says that the rest of the directory is not wanted.
struct Tag {
  std::string name;
  std::string header;  // how it must begin; "" where its presence is enough
};

struct Filters {
  // Over absolute paths. They decide before files of `ignore_file`, and of those the nearest first.
  Rules rules;
  // In any directory: patterns relative to it. "" for none. A line that is no pattern is passed over.
  std::string ignore_file = ".holdfastignore";
  bool caches = false;  // leave out directories with a true CACHEDIR.TAG
  std::vector<Tag> tags;
  std::optional<std::uint64_t> larger_than_bytes;  // regular files
  bool one_file_system = false;                    // mount points below a root come as empty directories
  bool nodump = false;                             // leave out what has the attribute `d` of chattr(1)
  // Told of everything that is left out, and why. By the thread of next().
  std::function<void(std::string_view path, std::string_view reason)> on_excluded;
};

// "NAME" or "NAME:header".
Tag parse_tag(std::string_view text);

// The first of the tags in `filters` that marks the directory open at `fd` with these names in it.
std::optional<Tag> find_tag(const Filters& filters, int fd, const Listing& listing);

// The rules in the ignore file of the directory open at `fd`, if it has one that can be read.
std::optional<Rules> read_ignore_file(const Filters& filters, int fd, const Listing& listing,
                                      std::string_view directory);

}  // namespace holdfast::source
