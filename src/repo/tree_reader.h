// TreeReader: the entries of one tree, in order, leaf by leaf; memory is O(leaf). Whoever wrote the tree may
// lie: what is out of order, lies below something that is no directory, or begins elsewhere than the node
// above says is Errc::damaged. So no node is read twice however they refer to each other, and reading ends.
// One thread at a time.
#pragma once

#include "model/tree.h"
#include "repo/chunk_reader.h"

namespace holdfast::repo {

class TreeReader {
 public:
  // `chunks` outlives this; its cache holds nodes and bases of deltas.
  TreeReader(ChunkReader& chunks, const model::Root& root);

  // Starts over at the first entry whose path is `path` or after it.
  void seek(std::string path);
  // The next entry, valid until the next call; null at the end.
  Result<const model::Entry*> next(std::stop_token stop);

  // Addresses of all nodes and leaves (and bases of deltas) that were read, for those who count references:
  // called once for each read, as it happens.
  std::function<void(const model::Address&)> on_node;
  // Also compare how many entries, files and bytes every node says lie below it with what does.
  bool strict = false;
  // Asked before a node or leaf is read; false skips all below it.
  std::function<bool(const model::Address&)> wanted;

 private:
  struct Level {
    std::vector<model::Child> children;
    std::size_t at = 0;
  };
  Result<bool> next_leaf(std::stop_token stop);
  // `claim` is what the node above says of the one at its address; of the root, nothing says a first path.
  Result<void> descend(model::Child claim, bool is_root, std::uint8_t level, std::stop_token stop);
  Result<void> read_leaf(Bytes bytes, std::stop_token stop);
  Result<void> compare(const model::Child& claim, bool is_root, std::string_view first_path,
                       const model::Child& sums) const;
  Result<void> check_order();
  // Errc::damaged where the chunk there is not the one of that id, or no part of a tree.
  Result<Buffer> read_node(const model::Address& address, const model::ShortId& id, model::ChunkType type,
                           std::stop_token stop);

  ChunkReader& chunks_;
  model::Root root_;
  bool started_ = false;
  std::string from_;
  std::vector<Level> levels_;  // of inner nodes, the root first
  std::vector<model::Entry> entries_;
  std::vector<model::Entry> base_;
  model::Address base_address_;
  std::size_t at_ = 0;
  std::string last_path_;   // of all read so far
  std::string last_other_;  // the last of something that is no directory
};

// Whether what was found at an address is the part of a tree that is referred to there. Errc::damaged.
Result<void> expect_part(const model::ShortId& found, model::ChunkType found_type, const model::ShortId& id,
                         model::ChunkType type);

// The entries of a leaf; where it is only the difference from another one, `base_of` gives those of that one,
// which decode_base() has read. Errc::damaged.
using BaseOf = std::function<Result<const std::vector<model::Entry>*>(const model::Delta&)>;
Result<void> decode_entries(Bytes leaf, const BaseOf& base_of, std::vector<model::Entry>& out);
Result<void> decode_base(Bytes leaf, std::vector<model::Entry>& out);

// What a root says of its uppermost node or leaf; it names no first path.
model::Child claim_of(const model::Root& root);

// The children of one inner node, of which the node above says `claim`. Errc::damaged where another chunk is
// there, or it begins elsewhere.
Result<std::vector<model::Child>> read_children(ChunkReader& chunks, const model::Child& claim,
                                                std::uint8_t level, std::stop_token stop);

// The entry of exactly that path; null where there is none.
Result<std::optional<model::Entry>> find_entry(ChunkReader& chunks, const model::Root& root,
                                               const std::string& path, std::stop_token stop);

}  // namespace holdfast::repo
