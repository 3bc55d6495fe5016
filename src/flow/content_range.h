// A range of a large file that is cut by content. Where the file was there last time, chunks that changed are
// stored by what of them is new, recognised by pieces. Needs no earlier chunk, only what is remembered of it.
#pragma once

#include "flow/patch.h"
#include "flow/storer.h"

namespace holdfast::flow {

class ContentRange {
 public:
  ContentRange(Storer& storer, Range& range, source::Content& content);
  Result<void> store(std::stop_token stop);

 private:
  Result<void> cut_run(std::uint64_t from, std::uint64_t to, std::stop_token stop);
  Result<bool> fill(std::uint64_t& at, std::uint64_t& to);
  Result<void> store_chunk(Bytes data, std::stop_token stop);
  std::vector<Part> divide(Bytes data);
  void load_old_pieces();

  Storer& storer_;
  Range& range_;
  source::Content& content_;
  Patch patch_;
  OldPieces old_;
  bool old_loaded_ = false;
  std::size_t begin_ = 0, end_ = 0;  // of what is in the storer's window
};

}  // namespace holdfast::flow
