#include "model/select.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace holdfast::model {
namespace {

constexpr std::string_view kLatest = "latest";
constexpr std::size_t kShortId = 8;

bool contains(const std::vector<std::string>& list, const std::string& word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

Error bad_word(std::string_view text) {
  return Error(Errc::usage, fmt::format("'{}' does not name a snapshot", text))
      .hint(
          "give the first digits of an id, 'latest' or 'latest~N', and a folder after ':' where one is "
          "meant");
}

std::string_view trim_slashes(std::string_view path) {
  while (path.starts_with('/')) path.remove_prefix(1);
  while (path.ends_with('/')) path.remove_suffix(1);
  return path;
}

// The N of "~N"; "" is 0.
Result<unsigned> parse_back(std::string_view text, std::string_view whole) {
  if (text.empty()) return 0U;
  unsigned back = 0;
  const char* const end = text.data() + text.size();
  const auto [at, failure] = std::from_chars(text.data() + 1, end, back);
  if (text[0] != '~' || failure != std::errc{} || at != end) return bad_word(whole);
  return back;
}

Result<std::size_t> find_latest(unsigned back, std::span<const SnapshotFacts> snapshots,
                                const Filter& filter) {
  const std::vector<std::size_t> found = select(snapshots, filter);
  if (back < found.size()) return found[back];
  if (found.empty()) {
    return Error(Errc::not_found, "no snapshot matches")
        .hint("see 'holdfast snapshots'; check --host, --path, --tag and --domain");
  }
  return Error(Errc::not_found,
               fmt::format("latest~{} is beyond the oldest: {} snapshots match", back, found.size()));
}

}  // namespace

TagList parse_tag_list(std::string_view text) {
  TagList out;
  for (std::size_t begin = 0;;) {
    const std::size_t comma = text.find(',', begin);
    out.emplace_back(text.substr(begin, comma - begin));
    if (comma == std::string_view::npos) return out;
    begin = comma + 1;
  }
}

std::string to_string(const TagList& tags) { return fmt::format("[{}]", fmt::join(tags, ", ")); }

bool has_tags(const SnapshotFacts& snapshot, const TagList& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const std::string& tag) {
    return tag.empty() ? snapshot.tags.empty() : contains(snapshot.tags, tag);
  });
}

bool matches(const SnapshotFacts& snapshot, const Filter& filter) {
  if (snapshot.checkpoint) return false;
  if (!filter.hosts.empty() && !contains(filter.hosts, snapshot.host)) return false;
  if (!filter.domains.empty() && !contains(filter.domains, snapshot.domain)) return false;
  for (const std::string& path : filter.paths) {
    if (!contains(snapshot.paths, path)) return false;
  }
  return filter.tags.empty() ||
         std::any_of(filter.tags.begin(), filter.tags.end(),
                     [&](const TagList& wanted) { return has_tags(snapshot, wanted); });
}

std::vector<std::size_t> select(std::span<const SnapshotFacts> snapshots, const Filter& filter) {
  std::vector<std::size_t> out;
  for (std::size_t i = snapshots.size(); i-- > 0;) {
    if (matches(snapshots[i], filter)) out.push_back(i);
  }
  std::stable_sort(out.begin(), out.end(),
                   [&](std::size_t a, std::size_t b) { return snapshots[a].seconds > snapshots[b].seconds; });
  return out;
}

Result<SnapshotWord> parse_snapshot_word(std::string_view text) {
  SnapshotWord out;
  const std::size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  if (colon != std::string_view::npos) out.sub_path = trim_slashes(text.substr(colon + 1));
  if (name.starts_with(kLatest)) {
    out.latest = true;
    out.back = TRY(parse_back(name.substr(kLatest.size()), text));
    return out;
  }
  for (const char c : name) {
    const char low = c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
    if (!(low >= '0' && low <= '9') && !(low >= 'a' && low <= 'f')) return bad_word(text);
    out.prefix += low;
  }
  if (out.prefix.empty()) return bad_word(text);
  return out;
}

Result<std::size_t> find_snapshot(const SnapshotWord& word, std::span<const SnapshotFacts> snapshots,
                                  const Filter& filter) {
  if (word.latest) return find_latest(word.back, snapshots, filter);
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < snapshots.size(); ++i) {
    if (!snapshots[i].checkpoint && snapshots[i].id.starts_with(word.prefix)) found.push_back(i);
  }
  if (found.size() == 1) return found[0];
  if (found.empty()) {
    return Error(Errc::not_found, fmt::format("no snapshot {}", word.prefix))
        .hint("see 'holdfast snapshots'");
  }
  std::vector<std::string> ids;
  for (const std::size_t i : found) {
    ids.push_back(snapshots[i].id.substr(0, std::max(kShortId, word.prefix.size() + 4)));
  }
  return Error(Errc::usage,
               fmt::format("{} snapshots begin with {}: {}", found.size(), word.prefix, fmt::join(ids, ", ")))
      .hint("give more digits of the id");
}

}  // namespace holdfast::model
