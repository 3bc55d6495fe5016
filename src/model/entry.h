// Entry: one file system object of a snapshot, with everything a restore needs but the bytes themselves.
// Plain values.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "model/address.h"

namespace holdfast::model {

enum class FileType : std::uint8_t {
  regular = 0,
  directory = 1,
  symlink = 2,
  fifo = 3,
  socket = 4,
  char_device = 5,
  block_device = 6,
};

struct Time {
  std::int64_t seconds = 0;  // since 1970-01-01 UTC; may be negative
  std::uint32_t nanoseconds = 0;
  auto operator<=>(const Time&) const = default;
};

struct Xattr {
  std::string name;
  std::string value;
  auto operator<=>(const Xattr&) const = default;
};

// What many entries have in common; stored once per leaf of the tree.
struct Attributes {
  FileType type = FileType::regular;
  std::uint32_t mode = 0;  // permission bits and suid, sgid, sticky: 07777
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::string user;  // empty: unknown
  std::string group;
  std::vector<Xattr> xattrs;  // sorted by name; POSIX ACLs are system.posix_acl_access and _default
  std::uint32_t flags = 0;    // those of chattr(1) that are kept: model/flags.h
  std::uint32_t project = 0;  // of project quotas
  auto operator<=>(const Attributes&) const = default;
};

// The first 16 bytes of a chunk's id.
using ShortId = std::array<std::uint8_t, 16>;

// `length` bytes of a file: of a chunk's plain text from `offset`, or a hole.
struct Extent {
  Address chunk;
  ShortId id{};  // of chunks of type data; all zero for others
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  bool hole = false;
  auto operator<=>(const Extent&) const = default;
};

struct Entry {
  // Components joined by '/', without a leading one: "home/ann/notes.txt". Never empty; any bytes but NUL
  // within components, which are not "." or "..".
  std::string path;
  Attributes attributes;
  Time mtime;
  std::optional<Time> birth;        // nobody can set it again: kept to be looked at
  std::uint64_t size_bytes = 0;     // regular files
  std::vector<Extent> content;      // regular files: covers [0, size_bytes) in order
  std::string target;               // symlinks
  std::uint64_t device = 0;         // character and block devices: rdev
  std::uint64_t link_group = 0;     // not 0: hard links; entries of one group in a snapshot are one file
  bool changed_while_read = false;  // the content is what was read, of a file that was being written
  bool operator==(const Entry&) const = default;
};

// How a source recognises an unchanged file next time. Kept locally, never in the repository.
struct Stamp {
  std::uint64_t inode = 0;
  Time ctime;
  bool operator==(const Stamp&) const = default;
};

// The order of entries in a tree: by components, each by its bytes; so that a directory comes just before all
// that is below it ('/' sorts before every other byte). Negative, 0, positive.
int compare_paths(std::string_view a, std::string_view b);

}  // namespace holdfast::model
