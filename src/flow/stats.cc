#include "flow/stats.h"

#include "crypto/hash.h"
#include "flow/diff.h"

namespace holdfast::flow {

Stats restore_stats(const Snapshots& snapshots) {
  Stats stats;
  stats.snapshots = snapshots.size();
  for (const repo::Snapshot* snapshot : snapshots) {
    for (const model::Root& root : snapshot->commit.roots) {
      stats.files += root.entries;
      stats.bytes += root.bytes;
    }
  }
  return stats;
}

namespace {

Hash content_key(const model::Entry& entry) {
  Encoder out;
  for (const model::Extent& extent : entry.content) {
    if (!extent.hole) encode(out, extent.chunk);
    out.varint(extent.offset);
    out.varint(extent.length);
  }
  return crypto::hash(out.bytes());
}

}  // namespace

Result<Stats> content_stats(repo::ChunkReader& chunks, const Snapshots& snapshots, std::stop_token stop) {
  Stats stats;
  stats.snapshots = snapshots.size();
  std::set<Hash> seen;
  for (const repo::Snapshot* snapshot : snapshots) {
    for (const model::Root& root : snapshot->commit.roots) {
      repo::TreeReader tree(chunks, root);
      for (;;) {
        const model::Entry* entry = TRY(tree.next(stop));
        if (entry == nullptr) break;
        if (stop.stop_requested()) return Error(Errc::stopped, "stopped while counting");
        if (entry->attributes.type != model::FileType::regular || !seen.insert(content_key(*entry)).second)
          continue;
        ++stats.files;
        stats.bytes += entry->size_bytes;
      }
    }
  }
  return stats;
}

Result<Stats> raw_stats(const repo::Repository& repository, const Snapshots& snapshots,
                        std::stop_token stop) {
  model::References all;
  for (const repo::Snapshot* snapshot : snapshots) {
    const model::References references = TRY(repository.read_references(snapshot->commit, stop));
    model::unite(all, references);
  }
  const BlobCounts counts = TRY(blobs_only_in(repository, all, {}, stop));
  Stats stats;
  stats.snapshots = snapshots.size();
  stats.blobs = counts.data_blobs + counts.tree_blobs;
  stats.bytes = counts.stored_bytes;
  stats.plain_bytes = counts.plain_bytes;
  return stats;
}

}  // namespace holdfast::flow
