#include "flow/mirror_listing.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "flow/doctor.h"
#include "flow/mirror_objects.h"
#include "repo/names.h"

namespace holdfast::flow {

Result<Sizes> list_sizes(storage::Storage& storage, std::string_view prefix, std::stop_token stop) {
  Sizes sizes;
  const auto visit = [&](const storage::ObjectInfo& info) -> Result<void> {
    sizes[info.name] = info.size_bytes;
    return {};
  };
  TRY_AS(storage.list(prefix, visit, stop), "listing " + storage.describe());
  return sizes;
}

bool is_fate(const std::string& name) { return vital_kind(name) == repo::Vital::fate; }
bool is_log(const std::string& name) { return repo::parse_log_name(name).has_value(); }

namespace {

// A listing is no picture of one moment: it may have what came while it was made, and not what came just
// before that. Of names that come in sequence, `sequence_of` says which one an object is in; a later listing,
// `all`, has whatever came before the last of them that `seen` has.
template <class SequenceOf>
std::set<std::string> without_gaps(const Sizes& seen, const Sizes& all, SequenceOf sequence_of) {
  std::map<std::uint64_t, std::uint64_t> last;  // number in each sequence
  std::set<std::string> out;
  for (const auto& [name, bytes] : seen) {
    const std::optional<std::pair<std::uint64_t, std::uint64_t>> place = sequence_of(name);
    if (!place) continue;
    out.insert(name);
    last[place->first] = std::max(last[place->first], place->second);
  }
  for (const auto& [name, bytes] : all) {
    const std::optional<std::pair<std::uint64_t, std::uint64_t>> place = sequence_of(name);
    const auto end = place ? last.find(place->first) : last.end();
    if (end != last.end() && place->second <= end->second) out.insert(name);
  }
  return out;
}

std::optional<std::pair<std::uint64_t, std::uint64_t>> place_in_log(const std::string& name) {
  const auto number = repo::parse_log_name(name);
  if (!number) return std::nullopt;
  return std::pair(std::uint64_t{0}, *number);
}

std::optional<std::pair<std::uint64_t, std::uint64_t>> place_of_fate(const std::string& name) {
  if (!is_fate(name)) return std::nullopt;
  const auto object = repo::parse_transaction_name(name);
  return std::pair(std::uint64_t{object->id.writer}, std::uint64_t{object->id.sequence});
}

}  // namespace

Result<Listing> list_source(storage::Storage& from, std::stop_token stop) {
  Listing listing;
  const Sizes log = TRY(list_sizes(from, repo::kLogPrefix, stop));
  const Sizes transactions = TRY(list_sizes(from, repo::kTransactionPrefix, stop));
  const Sizes all = TRY(list_sizes(from, "", stop));
  for (const std::string& name : without_gaps(log, all, &place_in_log)) listing.log.push_back(name);
  for (const std::string& name : without_gaps(transactions, all, &place_of_fate))
    listing.fates.push_back(name);
  for (const auto& [name, bytes] : all) {
    if (is_log(name) || is_fate(name) || name == repo::kConfigName || name.starts_with(kProbePrefix))
      continue;
    const auto kind = vital_kind(name);
    const bool key = kind == repo::Vital::key || kind == repo::Vital::domain ||
                     kind == repo::Vital::erasure || name == repo::kSpecName;
    const bool table = kind == repo::Vital::manifest || kind == repo::Vital::refs;
    (key ? listing.keys : table ? listing.tables : listing.data).push_back(name);
  }
  listing.sizes = all;
  listing.sizes.insert(transactions.begin(), transactions.end());
  listing.sizes.insert(log.begin(), log.end());
  return listing;
}

Result<void> require_whole_log(const Listing& listing) {
  for (std::size_t i = 0; i < listing.log.size(); ++i) {
    if (listing.log[i] == repo::log_name(i)) continue;
    return Error(Errc::damaged,
                 fmt::format("the source has {}, but not {}", listing.log[i], repo::log_name(i)))
        .hint("nothing was copied; `holdfast repair packs --from` takes the entry from a copy that has it");
  }
  return {};
}

}  // namespace holdfast::flow
