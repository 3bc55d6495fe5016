// The bytes of a tree's leaves and inner nodes. docs/format/tree.md. Pure; decoders refuse what can't be.
#pragma once

#include <vector>

#include "base/codec.h"
#include "model/commit.h"
#include "model/entry.h"

namespace holdfast::model {

inline constexpr std::uint8_t kTreeVersion = 0;
inline constexpr std::size_t kLeafEntriesMax = 2048;
inline constexpr std::size_t kNodeChildrenMax = 512;
inline constexpr std::size_t kPathBytesMax = 65'535;
// What the texts of a leaf's entries may come to: attributes and beginnings of paths are stored once and
// shared by many entries, so that a small leaf could else decode to any size. docs/format/tree.md, "Limits".
inline constexpr std::uint64_t kLeafTextBytesMax = 16 * kMiB;
// An xattr counts for this besides its name and value: as much as it takes in memory.
inline constexpr std::uint64_t kXattrTextBytes = 64;
// Of all files of a leaf together: a file of 4 TiB in pieces of 1 MiB.
inline constexpr std::uint64_t kLeafExtentsMax = 4 * 1024 * 1024;
// What the first paths of a node's children may come to, and how many levels of nodes a tree may have.
inline constexpr std::uint64_t kNodeTextBytesMax = 4 * kMiB;
inline constexpr std::uint8_t kTreeLevelsMax = 16;
// What an entry counts for.
std::uint64_t text_bytes(const Attributes& attributes);
std::uint64_t text_bytes(const Entry& entry);
// A leaf can hold it.
bool fits_leaf(const Entry& entry);

// Encodes entries in order as a block.
void encode_block(Encoder& out, const std::vector<Entry>& entries);

// Decodes a block into `entries`, reusing their memory, replacing what was there. Refuses unsafe paths, wrong
// order, extents that don't cover their file, and what is beyond the limits: memory is at most the limit for
// texts and a multiple of the block's length for extents.
Result<void> decode_block(Bytes block, std::vector<Entry>& entries);

// A leaf as stored: full, or the difference from a full one.
struct Delta {
  Address base;
  ShortId base_id{};
  std::vector<std::uint32_t> removed;  // positions in the base, ascending
};
Buffer encode_leaf(const std::vector<Entry>& entries);
Buffer encode_delta(const Delta& delta, const std::vector<Entry>& changed);

struct Leaf {
  bool is_delta = false;
  Delta delta;
  Bytes block;  // borrowed from the input
};
Result<Leaf> decode_leaf(Bytes bytes);
// What a leaf says, given its base's entries: removes, merges, into `out`.
Result<void> apply_delta(const Delta& delta, const std::vector<Entry>& base, std::vector<Entry>&& changed,
                         std::vector<Entry>& out);

struct Child {
  std::string first_path;
  Address address;
  ShortId id{};
  std::uint64_t entries = 0;
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
};
Buffer encode_node(std::uint8_t level, const std::vector<Child>& children);
Result<std::vector<Child>> decode_node(Bytes bytes, std::uint8_t level);

}  // namespace holdfast::model
