#include "flow/path_log.h"

#include <algorithm>

#include "base/beneath.h"
#include "base/codec.h"
#include "crypto/hash.h"

namespace holdfast::flow {

Result<PathLookup::Found> PathLookup::below(const model::Child& claim, std::uint8_t level,
                                            std::stop_token stop) {
  if (const auto known = known_.find(claim.address); known != known_.end()) return known->second;
  if (stop.stop_requested()) return Error(Errc::stopped, "stopped while looking");
  ++reads_;
  Found found;
  if (level == 0) {
    model::Root leaf;
    leaf.address = claim.address;
    leaf.id = claim.id;
    auto entry = TRY(repo::find_entry(chunks_, leaf, path_, stop));
    if (entry) found = std::make_shared<const model::Entry>(std::move(*entry));
  } else {
    const std::vector<model::Child> children = TRY(repo::read_children(chunks_, claim, level, stop));
    // The last child that begins at or before the path may hold it.
    const auto after = std::partition_point(children.begin(), children.end(), [&](const model::Child& child) {
      return model::compare_paths(child.first_path, path_) <= 0;
    });
    if (after != children.begin()) {
      const model::Child& child = *std::prev(after);
      found = TRY(below(child, static_cast<std::uint8_t>(level - 1), stop));
    }
  }
  known_[claim.address] = found;
  return found;
}

Result<std::shared_ptr<const model::Entry>> PathLookup::find(const model::Commit& commit,
                                                             std::stop_token stop) {
  for (const model::Root& root : commit.roots) {
    Found found = TRY(below(repo::claim_of(root), root.level, stop));
    if (found != nullptr) return found;
  }
  return Found();
}

bool covers(const model::Commit& commit, std::string_view path) {
  return std::any_of(commit.paths.begin(), commit.paths.end(), [&](std::string_view root) {
    while (root.starts_with('/')) root.remove_prefix(1);
    while (root.ends_with('/')) root.remove_suffix(1);
    return is_at_or_below(path, root) || is_at_or_below(root, path);
  });
}

namespace {

std::string mark_of(const model::Entry& entry) {
  Encoder out;
  if (entry.attributes.type == model::FileType::symlink) {
    out.string(entry.target);
  } else if (entry.attributes.type != model::FileType::regular) {
    return "";
  }
  for (const model::Extent& extent : entry.content) {
    out.u8(extent.hole ? 1 : 0);
    if (!extent.hole) encode(out, extent.chunk);
    out.varint(extent.offset);
    out.varint(extent.length);
  }
  const Hash hash = crypto::hash(out.bytes());
  return hex(Bytes(hash).first(8));
}

// Larger versions of one size whose pieces differ are taken for different without a look at their bytes: a
// disk image that changes every night must not be read a thousand times.
constexpr std::uint64_t kReadBytesMax = 16 * kMiB;

Result<std::optional<Change>> change_of(repo::ChunkReader& chunks, const model::Entry& a,
                                        const model::Entry& b, std::stop_token stop) {
  const bool regular =
      a.attributes.type == model::FileType::regular && a.attributes.type == b.attributes.type;
  if (regular && a.size_bytes == b.size_bytes && a.size_bytes > kReadBytesMax && a.content != b.content)
    return std::optional<Change>(Change::content);
  return change_between(chunks, a, b, stop);
}

// The story of one host.
class Story {
 public:
  Story(repo::ChunkReader& chunks, PathLookup& lookup, PathLog& log)
      : chunks_(chunks), lookup_(lookup), log_(log) {}

  Result<void> add(const repo::Snapshot& snapshot, std::stop_token stop) {
    ++log_.snapshots;
    auto found = lookup_.find(snapshot.commit, stop);
    if (!found.ok() && found.error().kind() == Errc::damaged) {
      log_.unreadable.push_back(snapshot.id);
      return {};
    }
    const std::shared_ptr<const model::Entry> entry = TRY(std::move(found));
    if (entry != nullptr) ++log_.present_in;
    if (entry == entry_) return {};
    if (entry == nullptr || entry_ == nullptr) {
      if (entry != nullptr) mark_ = mark_of(*entry);
      log_.changes.push_back({&snapshot, entry != nullptr ? Change::added : Change::removed,
                              entry != nullptr ? entry : entry_, mark_});
    } else {
      const auto change = TRY(change_of(chunks_, *entry_, *entry, stop));
      if (change && *change != Change::metadata) mark_ = mark_of(*entry);
      if (change) log_.changes.push_back({&snapshot, *change, entry, mark_});
    }
    entry_ = entry;
    return {};
  }

 private:
  repo::ChunkReader& chunks_;
  PathLookup& lookup_;
  PathLog& log_;
  std::shared_ptr<const model::Entry> entry_;
  std::string mark_;
};

}  // namespace

Result<PathLog> log_path(repo::ChunkReader& chunks, const std::vector<const repo::Snapshot*>& snapshots,
                         const std::string& path, std::stop_token stop) {
  std::map<std::string, std::vector<const repo::Snapshot*>> hosts;
  for (const repo::Snapshot* snapshot : snapshots) {
    if (covers(snapshot->commit, path)) hosts[snapshot->commit.host].push_back(snapshot);
  }
  PathLog log;
  PathLookup lookup(chunks, path);
  for (const auto& [host, theirs] : hosts) {
    Story story(chunks, lookup, log);
    for (const repo::Snapshot* snapshot : theirs) TRY(story.add(*snapshot, stop));
  }
  return log;
}

}  // namespace holdfast::flow
