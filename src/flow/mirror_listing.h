// What a mirror's source has, so that nothing is missing that something in it stands on; for mirror.cc.
// Functions; thread-safe. Errors: of the store.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "storage/storage.h"

namespace holdfast::flow {

using Sizes = std::map<std::string, std::uint64_t>;
Result<Sizes> list_sizes(storage::Storage& storage, std::string_view prefix, std::stop_token stop);

bool is_fate(const std::string& name);
bool is_log(const std::string& name);

// The source's objects, in the groups in which they are copied.
struct Listing {
  std::vector<std::string> keys;    // and `spec`
  std::vector<std::string> data;    // packs, opens, and what is unknown
  std::vector<std::string> tables;  // manifests and pages
  std::vector<std::string> log;     // ascending
  std::vector<std::string> fates;   // a writer's in the order they came
  Sizes sizes;
};

// The log before the fates before the rest: whatever a fate that is seen needs is seen too, unless a later
// entry of the log removed it.
Result<Listing> list_source(storage::Storage& from, std::stop_token stop);
// Without a hole: the entries behind one say nothing to anybody.
Result<void> require_whole_log(const Listing& listing);

}  // namespace holdfast::flow
