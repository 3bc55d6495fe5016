#include "repo/witness.h"

#include <fmt/core.h>

namespace holdfast::repo {

namespace {

Error uncovered(const model::Address& address) {
  return Error(Errc::damaged, fmt::format("its tree needs slot {} of {}, which its reference set lacks",
                                          address.slot, pack_name(address.pack, 0)));
}

}  // namespace

Result<void> TreeWitness::walk(const model::Root& root, const model::References& references,
                               ChunkReader& chunks, std::stop_token stop) {
  std::optional<model::Address> missing;
  model::Address here;       // node or leaf being read
  model::References needed;  // by it
  bool leaf = false;         // it gave entries
  const auto close = [&] {
    if (!missing) missing = model::first_missing(references, needed);
    if (leaf) leaves_.insert_or_assign(here, std::move(needed));
    needed.clear();
    leaf = false;
  };
  TreeReader tree(chunks, root);
  tree.on_node = [&](const model::Address& address) { model::insert(needed, address); };
  tree.wanted = [&](const model::Address& address) {
    close();
    here = address;
    const auto known = leaves_.find(address);
    if (known == leaves_.end()) return true;
    if (!missing) missing = model::first_missing(references, known->second);
    return false;
  };
  while (!missing) {
    const model::Entry* entry = TRY(tree.next(stop));
    if (entry == nullptr) break;
    leaf = true;
    for (const model::Extent& extent : entry->content) {
      if (!extent.hole) model::insert(needed, extent.chunk);
    }
  }
  close();
  if (missing) return uncovered(*missing);
  return {};
}

Result<void> TreeWitness::confirm(const Snapshot& snapshot, const LogState& log, std::stop_token stop) {
  const std::string what = fmt::format("snapshot {}", snapshot.id.substr(0, 8));
  const auto references = TRY_AS(repository_.read_references(snapshot.commit, stop), what);
  ChunkReader chunks(repository_, log);
  for (const model::Root& root : snapshot.commit.roots) {
    TRY_AS(walk(root, references, chunks, stop), what);
  }
  return {};
}

}  // namespace holdfast::repo
