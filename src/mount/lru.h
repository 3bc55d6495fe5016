// Lru<Key, Value>: values by key within a limit of bytes; what was not asked for the longest goes first. No
// locks: its owner's.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <utility>

namespace holdfast::mount {

template <typename Key, typename Value>
class Lru {
 public:
  explicit Lru(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}

  // Null where it is not there; valid until the next add().
  const Value* find(const Key& key) {
    const auto found = at_.find(key);
    if (found == at_.end()) return nullptr;
    items_.splice(items_.begin(), items_, found->second);
    return &items_.front().value;
  }

  // In place of what was there by that key. What is larger than all of the limit is not kept.
  void add(const Key& key, Value value, std::uint64_t bytes) {
    if (const auto old = at_.find(key); old != at_.end()) drop(old->second);
    items_.push_front({key, std::move(value), bytes});
    at_[key] = items_.begin();
    bytes_ += bytes;
    while (bytes_ > bytes_max_) drop(std::prev(items_.end()));
  }

  std::uint64_t bytes() const { return bytes_; }

 private:
  struct Item {
    Key key;
    Value value;
    std::uint64_t bytes;
  };
  using Items = std::list<Item>;

  void drop(typename Items::iterator item) {
    bytes_ -= item->bytes;
    at_.erase(item->key);
    items_.erase(item);
  }

  const std::uint64_t bytes_max_;
  std::uint64_t bytes_ = 0;
  Items items_;  // the most recently used first
  std::map<Key, typename Items::iterator> at_;
};

}  // namespace holdfast::mount
