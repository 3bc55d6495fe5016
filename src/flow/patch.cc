#include "flow/patch.h"

#include "flow/storer.h"

namespace holdfast::flow {

namespace {

constexpr std::size_t kPatchBytes = kMiB;

}  // namespace

void Patch::keep(const model::Extent& extent) {
  if (extent.length == 0) return;
  if (ends_waiting()) {
    content_.push_back(extent.hole ? hole(extent.length) : extent);
  } else {
    append_extent(content_, extent.hole ? hole(extent.length) : extent);
  }
}

Result<void> Patch::add(Bytes bytes, std::stop_token stop) {
  if (gathered_.size() >= kPatchBytes) TRY(flush(stop));
  if (ends_waiting()) {
    content_.back().length += bytes.size();
  } else {
    model::Extent extent;
    extent.offset = gathered_.size();
    extent.length = bytes.size();
    waiting_.push_back(content_.size());
    content_.push_back(extent);
  }
  append(gathered_, bytes);
  return {};
}

Result<void> Patch::flush(std::stop_token stop) {
  if (gathered_.empty()) return {};
  const model::Extent stored = TRY(store_(gathered_, stop));
  for (const std::size_t i : waiting_) {
    model::Extent& extent = content_[i];
    extent.chunk = stored.chunk;
    extent.id = stored.id;
    extent.hole = stored.hole;
    if (stored.hole) extent.offset = 0;
  }
  gathered_.clear();
  waiting_.clear();
  return {};
}

Result<std::vector<model::Extent>> Patch::finish(std::stop_token stop) {
  TRY(flush(stop));
  return std::move(content_);
}

}  // namespace holdfast::flow
