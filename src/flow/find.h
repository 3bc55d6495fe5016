// Looking for entries in snapshots, by name, type and time.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "flow/torn.h"
#include "source/pattern.h"

namespace holdfast::flow {

struct FindSpec {
  source::Rules patterns;             // an entry whose name or path one of these matches
  std::optional<model::Time> oldest;  // mtime at or after
  std::optional<model::Time> newest;  // mtime at or before
  std::optional<model::FileType> type;
};

// Looks through one snapshot after the other, and remembers what it found in parts of the trees that they
// share: each part is read once. Memory: 40 bytes for each node and leaf that was read, and 16 MiB of
// matches. What a damaged part held is told for each snapshot that has it; what lies behind is looked
// through. One thread at a time.
class Finder {
 public:
  using OnMatch = std::function<void(const model::Entry&)>;
  // Both outlive this.
  Finder(repo::ChunkReader& chunks, const FindSpec& spec) : chunks_(chunks), spec_(spec) {}
  // How many matched. `on_match` is told of each as it is found; of one that was found before, without its
  // content.
  Result<std::uint64_t> find(const model::Commit& commit, const OnMatch& on_match, std::stop_token stop);

  // Told of what is lost, however many parts in a row, with the path that it begins with. Where it is empty
  // they are errors.
  OnTorn on_torn;

 private:
  using Matches = std::vector<model::Entry>;
  struct Leaf {
    std::string first_path;
    Matches matches;
  };
  void forget_leaf();
  Result<void> take_place(const model::Child& claim, const std::string& first_path);
  Result<std::uint64_t> look_into_node(const model::Child& claim, std::uint8_t level, const OnMatch& on_match,
                                       std::stop_token stop);
  Result<std::uint64_t> look_into(const model::Child& claim, std::uint8_t level, const OnMatch& on_match,
                                  std::stop_token stop);
  Result<std::uint64_t> look_into_leaf(const model::Child& claim, const OnMatch& on_match,
                                       std::stop_token stop);

  repo::ChunkReader& chunks_;
  const FindSpec& spec_;
  std::set<model::Address> without_;      // nodes and leaves below which nothing matches
  std::map<model::Address, Leaf> known_;  // leaves
  // Of the leaf before, if it was read: its last entry, and the last that is no folder.
  std::string last_path_, last_other_;
  std::uint64_t remembered_bytes_ = 0;  // of matches in known_
  std::uint64_t torn_ = 0;              // parts
  bool told_ = false;                   // that what comes here is lost
};

}  // namespace holdfast::flow
