// The history of one path, and finding a name, over many snapshots of a large tree: by default 1,000
// snapshots of 1,000,000 files, of which each changes ten (HOLDFAST_BENCH_SNAPSHOTS, HOLDFAST_BENCH_FILES,
// …_EDITS). The repository is made without a source: leaves and nodes are written as a backup would, so
// making it takes a minute, not hours. It lies in memory, or below the folder HOLDFAST_BENCH_REPOSITORY,
// where the command can then be timed (password: secret).
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <random>

#include <fmt/core.h>

#include "compress/compress.h"
#include "crypto/hash.h"
#include "flow/find.h"
#include "flow/path_log.h"
#include "parity/checksum.h"
#include "repo/transaction.h"
#include "storage/local.h"
#include "storage/memory.h"
#include "storage/posix_disk.h"

namespace holdfast {
namespace {

constexpr std::size_t kLeafEntries = 500, kNodeChildren = 125;
constexpr char kPath[] = "data/d0500/f00123";  // changes in every tenth snapshot

std::uint64_t setting(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

class World {
 public:
  World() { make(); }
  const repo::Repository& repository() const { return *repository_; }
  std::vector<const repo::Snapshot*> snapshots(const repo::History& history) const {
    return history.snapshots();
  }

 private:
  void make();
  model::Entry entry(std::size_t leaf, std::size_t i) const;
  model::Child store_leaf(repo::ChunkWriter& chunks, std::size_t leaf);
  model::Root store_tree(repo::ChunkWriter& chunks, const std::set<std::size_t>& changed);
  model::Child store(repo::ChunkWriter& chunks, model::ChunkType type, Bytes plain);
  model::Commit commit_of(const model::Root& root, std::uint64_t number) const;

  storage::PosixDisk disk_;
  std::unique_ptr<storage::Storage> storage_;
  std::unique_ptr<repo::Repository> repository_;
  std::unique_ptr<repo::LocalState> local_;
  compress::Compressor compressor_;
  std::vector<std::vector<std::uint32_t>> versions_;  // of the entries, by leaf
  std::vector<model::Child> leaves_, nodes_;
  model::Address content_;
};

model::Entry World::entry(std::size_t leaf, std::size_t i) const {
  model::Entry e;
  e.path = fmt::format("data/d{:04}/f{:05}", leaf, i);
  e.attributes.user = e.attributes.group = "ann";
  e.attributes.mode = 0644;
  const std::uint32_t version = versions_[leaf][i];
  e.mtime = {static_cast<std::int64_t>(1'600'000'000 + leaf * 1000 + i + version * 100), 0};
  e.size_bytes = 100 + version % 50;
  model::Extent extent;
  extent.chunk = content_;
  extent.offset = version;
  extent.length = e.size_bytes;
  e.content = {extent};
  return e;
}

model::Child World::store(repo::ChunkWriter& chunks, model::ChunkType type, Bytes plain) {
  Buffer typed{static_cast<std::uint8_t>(type)};
  append(typed, plain);
  const model::ChunkId id = crypto::keyed_hash(repository_->keys()->chunk_id(), typed);
  Buffer packed;
  const bool pays = compressor_.compress(plain, 3, packed);
  model::Child child;
  child.id = model::short_id(id);
  child.address = chunks
                      .put({id, type, pays ? repo::Codec::zstd : repo::Codec::raw,
                            static_cast<std::uint32_t>(plain.size()), pays ? Bytes(packed) : plain,
                            parity::checksum(pays ? Bytes(packed) : plain)},
                           {})
                      .value();
  return child;
}

model::Child World::store_leaf(repo::ChunkWriter& chunks, std::size_t leaf) {
  std::vector<model::Entry> entries;
  for (std::size_t i = 0; i < versions_[leaf].size(); ++i) entries.push_back(entry(leaf, i));
  model::Child child = store(chunks, model::ChunkType::leaf, model::encode_leaf(entries));
  child.first_path = entries.front().path;
  child.entries = child.files = entries.size();
  for (const model::Entry& e : entries) child.bytes += e.size_bytes;
  return child;
}

// Writes the leaves that changed, the nodes above them, and a new root.
model::Root World::store_tree(repo::ChunkWriter& chunks, const std::set<std::size_t>& changed) {
  std::set<std::size_t> above;
  for (const std::size_t leaf : changed) {
    leaves_[leaf] = store_leaf(chunks, leaf);
    above.insert(leaf / kNodeChildren);
  }
  for (const std::size_t node : above) {
    const auto first = leaves_.begin() + static_cast<std::ptrdiff_t>(node * kNodeChildren);
    const auto end =
        leaves_.begin() + static_cast<std::ptrdiff_t>(std::min(leaves_.size(), (node + 1) * kNodeChildren));
    const std::vector<model::Child> children(first, end);
    model::Child child = store(chunks, model::ChunkType::node, model::encode_node(1, children));
    child.first_path = children.front().first_path;
    for (const model::Child& c : children) {
      child.entries += c.entries;
      child.files += c.files;
      child.bytes += c.bytes;
    }
    nodes_[node] = child;
  }
  const model::Child top = store(chunks, model::ChunkType::node, model::encode_node(2, nodes_));
  model::Root root;
  root.level = 2;
  root.address = top.address;
  root.id = top.id;
  for (const model::Child& c : nodes_) {
    root.entries += c.entries;
    root.files += c.files;
    root.bytes += c.bytes;
  }
  return root;
}

model::Commit World::commit_of(const model::Root& root, std::uint64_t number) const {
  model::Commit commit;
  commit.start = commit.end = {static_cast<std::int64_t>(1'700'000'000 + number * 3600), 0};
  commit.host = "host";
  commit.user = "ann";
  commit.program = "bench";
  commit.paths = {"/data"};
  commit.roots = {root};
  return commit;
}

void World::make() {
  const char* folder = std::getenv("HOLDFAST_BENCH_REPOSITORY");
  storage_ = folder == nullptr
                 ? storage::open_memory()
                 : std::move(storage::open_local(disk_, folder, storage::IfMissing::create)).value();
  const repo::Doors doors{*storage_, system_clock(), system_random()};
  repo::CreateOptions options;
  options.label = "bench";
  repo::Repository::create(doors, as_bytes("secret"), options, {}).value();
  repository_ = std::move(repo::Repository::open(doors, as_bytes("secret"), {})).value();
  local_ = repo::LocalState::open("", *repository_);
  const std::size_t leaves = setting("HOLDFAST_BENCH_FILES", 1'000'000) / kLeafEntries;
  const std::uint64_t snapshots = setting("HOLDFAST_BENCH_SNAPSHOTS", 1'000);
  const std::uint64_t edits = setting("HOLDFAST_BENCH_EDITS", 10);
  versions_.assign(leaves, std::vector<std::uint32_t>(kLeafEntries));
  leaves_.resize(leaves);
  nodes_.resize((leaves + kNodeChildren - 1) / kNodeChildren);
  std::mt19937_64 random(1);
  std::optional<model::Commit> before;
  for (std::uint64_t n = 0; n < snapshots; ++n) {
    auto transaction = std::move(repo::Transaction::open(*repository_, *local_, {}, {})).value();
    repo::ChunkWriter data(*transaction, false), metadata(*transaction, true);
    std::set<std::size_t> changed;
    if (n == 0) {
      content_ = store(data, model::ChunkType::bundle, Buffer(1 << 16)).address;
      for (std::size_t leaf = 0; leaf < leaves; ++leaf) changed.insert(leaf);
    }
    for (std::uint64_t i = 0; i < edits; ++i) {
      const std::size_t leaf = random() % leaves;
      ++versions_[leaf][random() % kLeafEntries];
      changed.insert(leaf);
    }
    if (n % 10 == 0) {
      ++versions_[500 % leaves][123];
      changed.insert(500 % leaves);
    }
    const model::Root root = store_tree(metadata, changed);
    data.finish({}).value();
    metadata.finish({}).value();
    model::References references;
    model::insert(references, content_);
    model::insert(references, root.address);
    for (const model::Child& c : leaves_) model::insert(references, c.address);
    for (const model::Child& c : nodes_) model::insert(references, c.address);
    before = std::move(transaction->commit(commit_of(root, n), references, before ? &*before : nullptr, {}))
                 .value()
                 .commit;
  }
}

const World& world() {
  static const World world;
  return world;
}

// All that a command does behind its password: fates, log, then the path in every tree.
void history_and_log(benchmark::State& state) {
  const repo::Repository& repository = world().repository();
  for (auto _ : state) {
    const repo::History history = std::move(repository.readable_history({})).value();
    repo::ChunkReader chunks(repository, history.log);
    const flow::PathLog log = std::move(flow::log_path(chunks, history.snapshots(), kPath, {})).value();
    state.counters["changes"] = static_cast<double>(log.changes.size());
  }
}

void log_alone(benchmark::State& state) {
  const repo::Repository& repository = world().repository();
  const repo::History history = std::move(repository.readable_history({})).value();
  for (auto _ : state) {
    repo::ChunkReader chunks(repository, history.log);
    const flow::PathLog log = std::move(flow::log_path(chunks, history.snapshots(), kPath, {})).value();
    state.counters["changes"] = static_cast<double>(log.changes.size());
  }
}

void find_in_all(benchmark::State& state) {
  const repo::Repository& repository = world().repository();
  const repo::History history = std::move(repository.readable_history({})).value();
  flow::FindSpec spec;
  static_cast<void>(spec.patterns.add("f00123", "PATTERN", {.floating = true}).ok());
  for (auto _ : state) {
    repo::ChunkReader chunks(repository, history.log);
    flow::Finder finder(chunks, spec);
    std::uint64_t found = 0;
    for (const repo::Snapshot* s : history.snapshots())
      found += finder.find(s->commit, [](const model::Entry&) {}, {}).value();
    state.counters["matches"] = static_cast<double>(found);
  }
}

BENCHMARK(history_and_log)->Unit(benchmark::kMillisecond);
BENCHMARK(log_alone)->Unit(benchmark::kMillisecond);
BENCHMARK(find_in_all)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace holdfast
