// Any bytes as a record of the model or a log entry: an error, or something that encodes to bytes which
// decode and encode to the same again.
#include "base/check.h"
#include "model/tree.h"
#include "repo/log.h"
#include "tests/fuzz/seeds.h"

namespace holdfast {
namespace {

using namespace model;

Result<Buffer> again_block(Bytes in) {
  std::vector<Entry> entries;
  TRY(decode_block(in, entries));
  Encoder out;
  encode_block(out, entries);
  return out.take();
}

Result<Buffer> again_leaf(Bytes in) {
  const Leaf leaf = TRY(decode_leaf(in));
  std::vector<Entry> entries;
  TRY(decode_block(leaf.block, entries));
  if (!leaf.is_delta) return encode_leaf(entries);
  Buffer out = encode_delta(leaf.delta, entries);
  std::vector<Entry> merged;
  (void)apply_delta(leaf.delta, entries, std::vector<Entry>(entries), merged).ok();
  return out;
}

Result<Buffer> again_node(Bytes in) {
  const std::uint8_t level = in.size() > 1 ? in[1] : 0;
  const std::vector<Child> children = TRY(decode_node(in, level));
  return encode_node(level, children);
}

Result<Buffer> again_page(Bytes in) {
  References packs;
  TRY(decode_page(in, packs));
  return encode_page(packs.begin(), packs.end());
}

Result<Buffer> again(unsigned which, Bytes in) {
  switch (which % 7) {
    case 0: {
      const Commit commit = TRY(decode_commit(in));
      return encode(commit);
    }
    case 1: {
      const Manifest manifest = TRY(decode_manifest(in));
      return encode(manifest);
    }
    case 2:
      return again_page(in);
    case 3:
      return again_block(in);
    case 4:
      return again_leaf(in);
    case 5:
      return again_node(in);
    default: {
      const repo::LogEntry entry = TRY(repo::decode_log_entry(in));
      return repo::encode(entry);
    }
  }
}

Entry entry(std::string path, FileType type) {
  Entry e;
  e.path = std::move(path);
  e.attributes = {type, 0644, 1000, 100, "ann", "users", {{"user.a", "1"}}};
  e.mtime = {1'700'000'000, 123'456'789};
  return e;
}

std::vector<Entry> sample_entries() {
  std::vector<Entry> all;
  all.push_back(entry("home", FileType::directory));
  all.push_back(entry("home/a", FileType::regular));
  all.back().size_bytes = 12;
  const Extent first{{{{7, 1}, 2}, 3}, {1, 2, 3}, 0, 5, false};
  const Extent hole{{}, {}, 0, 7, true};
  all.back().content = {first, hole};
  all.push_back(entry("home/b", FileType::regular));
  all.back().size_bytes = 9;
  all.back().link_group = 5;
  all.back().content = {{first.chunk, first.id, 5, 9, false}};
  all.push_back(entry("home/c", FileType::symlink));
  all.back().target = "../b";
  all.push_back(entry("home/d", FileType::char_device));
  all.back().device = 0x501;
  all.back().changed_while_read = true;
  return all;
}

// Near what a leaf may decode to, in few bytes: all share many xattrs.
std::vector<Entry> large_entries() {
  std::vector<Entry> all;
  for (int i = 0; i < 420; ++i) {
    all.push_back(entry("d" + std::to_string(1000 + i), FileType::directory));
    all.back().attributes.xattrs.assign(560, {});
  }
  return all;
}

Commit sample_commit() {
  Commit c;
  c.host = "host";
  c.paths = {"/home"};
  c.tags = {"t"};
  c.parent = TransactionId{7, 1};
  c.roots.push_back({1, "home", 0, {{{7, 1}, 1}, 0}, {}, 5, 2, 21});
  c.statistics = {{"files", 2}};
  c.pages = {{{7, 1}, 0}};
  return c;
}

std::vector<Buffer> make_samples() {
  using fuzz::sample;
  Slots slots;
  for (std::uint32_t slot : {1u, 2u, 70u}) slots.insert(slot);
  const PackId pack{{7, 1}, 2};
  const References packs{{pack, slots}, {{{7, 2}, 1}, slots}};
  const ManifestPack in_manifest{2, 8192, {}, {{{}, ChunkType::data, 5, 5}, {{}, ChunkType::leaf, 9, 7}}};
  Encoder block;
  encode_block(block, sample_entries());
  Encoder large;
  encode_block(large, large_entries());
  std::vector<Buffer> all;
  all.push_back(sample(0, encode(sample_commit())));
  all.push_back(sample(1, encode(Manifest{{7, 1}, {in_manifest}})));
  all.push_back(sample(2, encode_page(packs.begin(), packs.end())));
  all.push_back(sample(3, block.bytes()));
  all.push_back(sample(3, large.bytes()));
  all.push_back(sample(4, encode_leaf(sample_entries())));
  all.push_back(sample(4, encode_delta({{pack, 4}, {9}, {0, 3}}, sample_entries())));
  all.push_back(
      sample(5, encode_node(1, {{"home", {pack, 4}, {9}, 5, 2, 21}, {"home/x", {pack, 5}, {8}, 1, 1, 1}})));
  for (const repo::LogEntry& e : std::vector<repo::LogEntry>{
           repo::Forget{{{7, 1}}}, repo::Condemn{{{pack, slots}}}, repo::Uncondemn{3, {pack}},
           repo::Delete{3, 4, {{{pack, slots}, 4}}}, repo::Tag{{7, 1}, {"a", "b"}}, repo::Abandon{{7, 1}}}) {
    all.push_back(sample(6, repo::encode(e)));
  }
  return all;
}

}  // namespace
}  // namespace holdfast

using namespace holdfast;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto once = again(data[0], {data + 1, size - 1});
  if (!once.ok()) return 0;
  const auto twice = again(data[0], once.value());
  HF_ASSERT(twice.ok());
  HF_ASSERT(twice.value() == once.value());
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t size_max,
                                               unsigned seed) {
  static const std::vector<Buffer> samples = make_samples();
  return fuzz::mutate(data, size, size_max, seed, samples);
}
