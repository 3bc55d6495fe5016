// Which snapshots are meant: words on the command line ("latest~2", "4bba301e:/home"), and filters by host,
// path, tag and key domain. Pure, over a list that the caller has read; thread-safe. Checkpoints are never
// selected.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/duration.h"

namespace holdfast::model {

using TagList = std::vector<std::string>;

// What selecting and retention need to know of a snapshot.
struct SnapshotFacts {
  std::string id;            // lower-case hex, in full
  std::int64_t seconds = 0;  // when it was taken, since 1970-01-01 UTC
  CivilTime local;           // the same, as local_time() shows it
  std::string host;
  std::vector<std::string> paths;
  TagList tags;
  std::string domain{};  // name of its key domain; "": none
  bool complete = true;  // not partial
  bool checkpoint = false;
};

// "a,b" → {"a", "b"}; "" → {""}: untagged.
TagList parse_tag_list(std::string_view text);

// "[a, b]".
std::string to_string(const TagList& tags);

// All of `wanted` are among the snapshot's tags; an empty word in `wanted` means a snapshot without tags.
bool has_tags(const SnapshotFacts& snapshot, const TagList& wanted);

struct Filter {
  std::vector<std::string> hosts{};    // one of these; none: any
  std::vector<std::string> paths{};    // all of these
  std::vector<TagList> tags{};         // one of these lists in full; none: any
  std::vector<std::string> domains{};  // one of these, "" for those in none; none: any
};

bool matches(const SnapshotFacts& snapshot, const Filter& filter);

// Indices into `snapshots` of what `filter` lets through, newest first; of the same second, the later in the
// list first.
std::vector<std::size_t> select(std::span<const SnapshotFacts> snapshots, const Filter& filter);

// A snapshot as the operator named it.
struct SnapshotWord {
  bool latest = false;
  unsigned back = 0;     // latest~2: 2
  std::string prefix;    // else: beginning of an id, lower case
  std::string sub_path;  // ID:/sub/path → "sub/path"; without '/' at either end; empty: all
};

// Error: usage, where `text` is neither `latest`, `latest~N` nor hex digits, with or without a path after
// ':'.
Result<SnapshotWord> parse_snapshot_word(std::string_view text);

// The index of the one that is meant. `latest` counts among what `filter` lets through; an id is looked for
// in all. Errors: not_found; usage where several ids begin so.
Result<std::size_t> find_snapshot(const SnapshotWord& word, std::span<const SnapshotFacts> snapshots,
                                  const Filter& filter);

}  // namespace holdfast::model
