// TreeWriter: makes a snapshot's tree from entries in order, sharing with the previous tree whatever did not
// change: a leaf that is wholly the same is referred to, one with few changes becomes a delta.
// docs/format/tree.md. One thread.
#pragma once

#include "repo/chunk_maker.h"
#include "repo/local_tree.h"
#include "repo/transaction.h"

namespace holdfast::repo {

// Where an entry comes from in the previous tree, if anywhere.
struct Provenance {
  std::shared_ptr<const LeafOrigin> leaf;  // null: no entry of this path there
  BasePosition base;
  bool unchanged = false;  // equal in every respect, stamp included
};

class TreeWriter {
 public:
  // Counts everything that the tree needs into `references`; tells `local`. `known` are inner nodes that may
  // be referred to.
  TreeWriter(ChunkWriter& chunks, model::References& references, LocalTreeWriter& local,
             const std::vector<std::pair<model::ShortId, model::Address>>& known);

  // Asked before a node or leaf is stored, told after: for writers that know more of what the repository has.
  // May be empty.
  std::function<std::optional<model::Address>(const model::ShortId&)> find;
  std::function<void(const model::ShortId&, const model::Address&)> stored;

  // The entry must fit a leaf (model::fits_leaf).
  Result<void> add(model::Entry entry, const model::Stamp& stamp, Provenance provenance,
                   std::stop_token stop);
  Result<model::Root> finish(std::stop_token stop);

  const std::vector<std::pair<model::ShortId, model::Address>>& nodes() const { return nodes_; }
  std::uint64_t stored_chunks() const { return stored_chunks_; }
  std::uint64_t stored_plain_bytes() const { return stored_plain_bytes_; }
  std::uint64_t stored_bytes() const { return stored_bytes_; }

 private:
  struct Stored {
    model::Address address;
    model::ShortId id;
  };
  Result<void> close_leaf(std::stop_token stop);
  const LeafOrigin* reusable() const;
  std::shared_ptr<const LeafOrigin> base_for_delta() const;
  Result<LeafOrigin> store_leaf(std::stop_token stop);
  Result<LeafOrigin> store_delta(const LeafOrigin& base, const std::vector<std::uint32_t>& removed,
                                 std::stop_token stop);
  std::vector<std::uint32_t> relate_to(const LeafOrigin& base);
  Result<void> add_child(std::size_t level, model::Child child, std::stop_token stop);
  Result<void> close_node(std::size_t level, std::stop_token stop);
  Result<Stored> store(model::ChunkType type, Bytes plain, std::stop_token stop);
  bool ends(std::uint8_t level, std::string_view path, std::uint64_t modulus) const;

  const DomainKeys& keys_;
  ChunkWriter& chunks_;
  model::References& references_;
  LocalTreeWriter& local_;
  ChunkMaker maker_;
  std::map<model::ShortId, model::Address> known_;
  std::vector<std::pair<model::ShortId, model::Address>> nodes_;

  std::vector<LocalEntry> entries_;                // of the leaf in the making
  std::vector<Provenance> provenances_;            // of the same
  std::uint64_t text_bytes_ = 0;                   // of the same
  std::size_t extents_ = 0;                        // of the same
  std::vector<std::vector<model::Child>> levels_;  // children gathered at level i + 1
  std::uint64_t stored_chunks_ = 0, stored_plain_bytes_ = 0, stored_bytes_ = 0;
};

}  // namespace holdfast::repo
