// Directories that a restore is to see to again, from the last to the first, when all in them is there. There
// may be millions, so they are kept encoded. One thread.
#pragma once

#include <algorithm>
#include <vector>

#include "model/tree.h"

namespace holdfast::flow {

class Directories {
 public:
  void add(const model::Entry& entry) {
    const std::uint64_t text = model::text_bytes(entry);
    if (open_.size() == kBlockEntries || open_text_ + text > model::kLeafTextBytesMax) close();
    open_text_ += text;
    open_.push_back(entry);
  }

  template <typename Each>
  void take_in_reverse(Each each) {
    close();
    std::vector<model::Entry> entries;
    for (; !blocks_.empty(); blocks_.pop_back()) {
      const auto decoded = model::decode_block(blocks_.back(), entries);
      HF_ASSERT(decoded.ok());
      std::for_each(entries.rbegin(), entries.rend(), each);
    }
  }

 private:
  // So many to a block, which is within a leaf's limits.
  static constexpr std::size_t kBlockEntries = 1024;

  void close() {
    Encoder block;
    model::encode_block(block, open_);
    blocks_.push_back(block.take());
    open_.clear();
    open_text_ = 0;
  }

  std::vector<model::Entry> open_;
  std::uint64_t open_text_ = 0;
  std::vector<Buffer> blocks_;
};

}  // namespace holdfast::flow
