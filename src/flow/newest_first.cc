#include "flow/newest_first.h"

#include "model/tree.h"

namespace holdfast::flow {

bool NewestFirst::meets(const model::Entry& entry) {
  Kept key;
  key.mtime = entry.mtime;
  key.number = met_++;
  return !last_ || *last_ < key;
}

void NewestFirst::add(const model::Entry& entry, sink::Action action) {
  Encoder encoded;
  model::encode_block(encoded, {entry});
  Kept kept{entry.mtime, met_ - 1, encoded.take(), action};
  bytes_ += sizeof(Kept) + kept.entry.size();
  kept_.insert(std::move(kept));
  while (bytes_ > bytes_max_ && kept_.size() > 1) {
    const auto oldest = std::prev(kept_.end());
    bytes_ -= sizeof(Kept) + oldest->entry.size();
    kept_.erase(oldest);
    left_over_ = true;
  }
}

Result<bool> NewestFirst::take(const Each& each) {
  std::vector<model::Entry> entries;
  while (!kept_.empty()) {
    auto node = kept_.extract(kept_.begin());
    Kept& kept = node.value();
    TRY(model::decode_block(kept.entry, entries));
    TRY(each(std::move(entries.front()), kept.action));
    kept.entry.clear();
    last_ = std::move(kept);
  }
  met_ = bytes_ = 0;
  return std::exchange(left_over_, false);
}

}  // namespace holdfast::flow
