// Commit: what a transaction's fate says when it is COMMIT: a snapshot, or a checkpoint of a run. And the
// other small records of a transaction. docs/format/transactions.md. Plain values.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "base/codec.h"
#include "model/entry.h"
#include "model/slots.h"

namespace holdfast::model {

using RunId = std::array<std::uint8_t, 16>;
using ChunkId = Hash;
inline ShortId short_id(const ChunkId& id) {
  ShortId out;
  std::copy_n(id.begin(), out.size(), out.begin());
  return out;
}

enum class ChunkType : std::uint8_t { data = 1, bundle = 2, leaf = 3, node = 4 };

// The top of a tree.
struct Root {
  std::uint8_t type = 1;  // 1: file tree
  std::string name;
  std::uint8_t level = 0;  // 0: the root is a leaf
  Address address;
  ShortId id{};
  std::uint64_t entries = 0;
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
};

struct PagePointer {
  TransactionId owner;
  std::uint64_t index = 0;
  auto operator<=>(const PagePointer&) const = default;
};

enum class CommitKind : std::uint8_t { snapshot = 1, checkpoint = 2 };
enum class BackupMode : std::uint8_t { incremental = 0, full = 1, differential = 2 };

// A key domain: content under secrets of its own. 0: none, under the repository's alone.
using Domain = std::uint32_t;

struct Commit {
  TransactionId transaction;
  RunId run{};
  Domain domain = 0;
  CommitKind kind = CommitKind::snapshot;
  bool partial = false;
  BackupMode mode = BackupMode::incremental;
  std::uint32_t previous_sequence = 0;  // this writer's commit before; 0: none
  Hash previous_hash{};
  Time start;
  Time end;
  int zone_minutes = 0;
  std::string host;
  std::string user;
  std::string program;
  std::vector<std::string> paths;
  std::vector<std::string> tags;
  std::vector<std::string> excludes;
  std::optional<TransactionId> parent;
  std::vector<Root> roots;
  std::vector<std::pair<std::string, std::uint64_t>> statistics;
  Hash manifest_hash{};
  Hash refs_hash{};
  std::vector<PagePointer> pages;
  // Of a key domain: what encode_labels() gives, sealed by the domain. Host, user, program, paths, tags,
  // excludes and names of roots are empty until it was opened.
  Buffer sealed_labels{};

  // 0 where there is none of that name.
  std::uint64_t statistic(std::string_view name) const;
};

Buffer encode(const Commit& commit);
Result<Commit> decode_commit(Bytes bytes);
// All of a commit that names somebody or something.
Buffer encode_labels(const Commit& commit);
Result<void> decode_labels(Bytes bytes, Commit& commit);

struct ManifestChunk {
  ChunkId id{};
  ChunkType type = ChunkType::data;
  std::uint32_t plain_bytes = 0;
  std::uint32_t stored_bytes = 0;
};
struct ManifestPack {
  std::uint32_t pack = 0;
  std::uint64_t object_bytes = 0;
  Hash root{};
  std::vector<ManifestChunk> chunks;  // by slot
};
struct Manifest {
  TransactionId transaction;
  std::vector<ManifestPack> packs;  // ascending
};

Buffer encode(const Manifest& manifest);
Result<Manifest> decode_manifest(Bytes bytes);

void encode(Encoder& out, const Time& time);
Time decode_time(Decoder& in);

}  // namespace holdfast::model
