// What encoding and decoding of a block share. Only for these two; others use tree.h.
#pragma once

#include "model/tree.h"

namespace holdfast::model {

// Beside the type: what stands at the end of the attributes, because it isn't 0.
inline constexpr std::uint8_t kHasFlags = 0x10;
inline constexpr std::uint8_t kHasProject = 0x20;

// Where the extent before ended: what content "0" goes on from.
struct Cursor {
  bool valid = false;
  Address chunk;
  std::uint64_t end = 0;
};

inline bool is_device(const Entry& entry) {
  return entry.attributes.type == FileType::char_device || entry.attributes.type == FileType::block_device;
}

}  // namespace holdfast::model
