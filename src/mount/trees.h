// Trees: entries of snapshots by their place in the tree's order, or by path: each takes a descent from the
// root, whose parts are remembered decoded, within a limit. An entry's place (its number in the order) never
// changes, so that it can stand for the entry. Thread-safe.
#pragma once

#include <condition_variable>
#include <list>
#include <set>

#include "model/tree.h"
#include "mount/chunks.h"

namespace holdfast::mount {

// An entry within its leaf.
struct Place {
  std::shared_ptr<const std::vector<model::Entry>> leaf;  // null: behind the last entry
  std::uint64_t first = 0;                                // number of the leaf's first entry
  std::size_t at = 0;

  bool is_end() const { return leaf == nullptr; }
  const model::Entry& entry() const { return (*leaf)[at]; }
  std::uint64_t number() const { return first + at; }
};

// A search key before which all that is at or below `path` lies, and nothing else of the tree after it.
inline std::string behind(std::string_view path) { return std::string(path) + '\0'; }

class Trees {
 public:
  // `chunks` outlives this.
  explicit Trees(Chunks& chunks, std::uint64_t cache_bytes_max = 32 * kMiB)
      : chunks_(chunks), cache_(cache_bytes_max) {}

  Result<Place> at(const model::Root& root, std::uint64_t number, std::stop_token stop);
  // The first entry whose path is `path` or after it.
  Result<Place> seek(const model::Root& root, std::string_view path, std::stop_token stop);
  // The entry of exactly that path. Errc::not_found.
  Result<Place> find(const model::Root& root, std::string_view path, std::stop_token stop);
  // What comes after `place` and is not below it. The leaf after is fetched beforehand.
  Result<Place> sibling(const model::Root& root, const Place& place, std::stop_token stop);

  // How many names each hard-linked file of the tree has, as groups ascending. Reads all of the tree, once:
  // who asks meanwhile for the same tree waits, for others nobody does.
  using LinkCounts = std::vector<std::pair<std::uint64_t, std::uint32_t>>;
  Result<std::shared_ptr<const LinkCounts>> link_counts(const model::Root& root, std::stop_token stop);

  std::uint64_t cached_bytes() const;

 private:
  struct Node {
    std::vector<model::Child> children;
    std::vector<std::uint64_t> begins;  // of each child, in entries of this node
  };
  // A node, or a leaf.
  struct Part {
    std::shared_ptr<const Node> node;
    std::shared_ptr<const std::vector<model::Entry>> leaf;
  };
  struct Step {
    model::Address address;
    model::ShortId id{};
    std::uint8_t level = 0;
    std::uint64_t entries = 0;
    std::string claim = {};  // how it begins, by the node above; "": nothing says
  };
  using Choose = std::function<std::size_t(const Node&, std::uint64_t first)>;

  Result<Place> descend(const model::Root& root, const Choose& choose, std::stop_token stop);
  Result<Part> read(const Step& step, std::stop_token stop);
  Result<Part> load(const Step& step, std::stop_token stop);
  Result<PlainPtr> plain(const model::Address& address, const model::ShortId& id, model::ChunkType type,
                         std::stop_token stop);
  Result<Part> decode_node(const Step& step, Bytes bytes);
  Result<Part> decode_leaf(const Step& step, Bytes bytes, std::stop_token stop);
  void prefetch_behind(const model::Root& root, const Place& place, std::stop_token stop);
  std::shared_ptr<const LinkCounts> known_links(const model::Address& tree);
  Result<void> count_links(const Step& step, std::map<std::uint64_t, std::uint32_t>& counts,
                           std::stop_token stop);

  Chunks& chunks_;
  mutable std::mutex mutex_;  // guards cache_
  Lru<model::Address, Part> cache_;
  std::mutex links_mutex_;  // guards what is below; not held while a tree is walked
  std::condition_variable_any counted_;
  std::set<model::Address> counting_;  // trees that somebody walks
  std::list<std::pair<model::Address, std::shared_ptr<const LinkCounts>>> links_;  // the last used first
};

}  // namespace holdfast::mount
