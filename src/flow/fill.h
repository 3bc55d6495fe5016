// Filling in: a pack that lost chunks is written anew, as another generation, with those of them that were
// stored again since, wherever they lie now (decision 14). Every chunk that goes into it is compared with its
// id first. Needs the secrets to read, and of the index. Functions of values; no state.
#pragma once

#include "repo/repository.h"

namespace holdfast::flow {

// One pack, and what can be filled in.
struct Filling {
  model::PackId pack;
  std::vector<model::ManifestChunk> chunks;                      // of the pack, by slot
  std::map<std::uint32_t, std::vector<model::Address>> sources;  // of slots that are lost
};

// Of the slots that `lost` names: where else chunks of the same ids lie that are not lost. Reads every
// manifest. Packs of which nothing can be filled in are left out, and those whose manifest can't be read.
Result<std::vector<Filling>> find_fillings(const repo::Repository& repository, const repo::LogState& log,
                                           const model::References& lost, std::stop_token stop);

// Puts the pack's object of generation `to` with those of the slots `kept` that its object `from` has, and
// what can be had of `filling`; reads it back. Gives the slots that it has. Durable when it returns.
// Errc::damaged where nothing could be filled in, conflict where another object is there under that name;
// unreachable where it can't be known whether a chunk is lost: then nothing is written.
struct FillTarget {
  std::uint32_t from = 0, to = 0;  // generations
  model::Slots kept;
};
Result<model::Slots> fill(const repo::Repository& repository, const repo::LogState& log,
                          const Filling& filling, const FillTarget& target, std::stop_token stop);

}  // namespace holdfast::flow
