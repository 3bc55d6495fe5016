// Patch: the new content of a range of a changed file, of parts that stay where they are stored and parts
// that are stored now, gathered in chunks of about 1 MiB. One thread.
#pragma once

#include <functional>
#include <stop_token>

#include "base/result.h"
#include "model/entry.h"

namespace holdfast::flow {

class Patch {
 public:
  // Stores a chunk and gives the extent that covers it.
  using Store = std::function<Result<model::Extent>(Bytes data, std::stop_token stop)>;
  explicit Patch(Store store) : store_(std::move(store)) {}

  // Goes on with what is in the repository, or with a hole.
  void keep(const model::Extent& extent);
  // Goes on with bytes that are not. A part is never split, so a chunk can be longer by one.
  Result<void> add(Bytes bytes, std::stop_token stop);
  std::size_t extents() const { return content_.size(); }
  // Stores what is left; the content of the whole range. Call once.
  Result<std::vector<model::Extent>> finish(std::stop_token stop);

 private:
  // The content so far ends with bytes that are not stored yet.
  bool ends_waiting() const { return !waiting_.empty() && waiting_.back() + 1 == content_.size(); }
  Result<void> flush(std::stop_token stop);

  Store store_;
  std::vector<model::Extent> content_;
  Buffer gathered_;                   // bytes not yet stored
  std::vector<std::size_t> waiting_;  // extents of the content that lie in them
};

}  // namespace holdfast::flow
