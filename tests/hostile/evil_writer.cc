#include "tests/hostile/evil_writer.h"

#include <unistd.h>

#include "parity/checksum.h"
#include "repo/pack_reader.h"

namespace holdfast::testing {

EvilWriter::EvilWriter(const std::string& path) {
  store_ = std::move(storage::open_local(disk_, path, storage::IfMissing::create)).value();
  const repo::Doors doors{*store_, system_clock(), system_random()};
  repo::CreateOptions options;
  options.cost = {1, 8};
  options.specification = "none";
  HF_ASSERT(repo::Repository::create(doors, as_bytes(kEvilPassword), options, {}).ok());
  repository_ = std::move(repo::Repository::open(doors, as_bytes(kEvilPassword), {})).value();
  local_ = repo::LocalState::open("", *repository_);
  begin();
  const model::Child text = put(model::ChunkType::bundle, as_bytes("honest"));
  add_root(leaf({evil_entry("d", model::FileType::directory), evil_file("d/honest", text, 6)}), 0);
  commit();
  begin();
}

void EvilWriter::begin() {
  transaction_ =
      std::move(repo::Transaction::open(*repository_, *local_, system_random().array<16>(), {})).value();
  data_ = std::make_unique<repo::ChunkWriter>(*transaction_, false);
  metadata_ = std::make_unique<repo::ChunkWriter>(*transaction_, true);
  references_.clear();
  next_ = {{transaction_->id(), 1}, 0};
  const std::int64_t hour = record_.start.seconds == 0 ? 0 : 3600;
  record_ = {};
  record_.host = "host";
  record_.user = "mallory";
  record_.paths = {"/d"};
  record_.start = record_.end = {1'700'000'000 + hour, 0};
}

model::Child EvilWriter::put_raw(model::ChunkType type, Bytes stored, repo::Codec codec,
                                 std::uint32_t plain_bytes, const model::ChunkId& id) {
  const bool tree = type == model::ChunkType::leaf || type == model::ChunkType::node;
  model::Child made;
  made.address = std::move((tree ? metadata_ : data_)
                               ->put({id, type, codec, plain_bytes, stored, parity::checksum(stored)}, {}))
                     .value();
  made.id = model::short_id(id);
  insert(references_, made.address);
  if (tree) next_.slot = made.address.slot + 1;
  return made;
}

model::Child EvilWriter::put(model::ChunkType type, Bytes plain) {
  return put_raw(type, plain, repo::Codec::raw, static_cast<std::uint32_t>(plain.size()),
                 repo::chunk_id(repository_->keys()->chunk_id(), type, plain));
}

model::Child EvilWriter::leaf(const std::vector<model::Entry>& entries) {
  model::Child made = put(model::ChunkType::leaf, model::encode_leaf(entries));
  if (!entries.empty()) made.first_path = entries.front().path;
  made.entries = entries.size();
  for (const model::Entry& entry : entries) {
    made.files += entry.attributes.type == model::FileType::regular ? 1 : 0;
    made.bytes += entry.size_bytes;
  }
  return made;
}

model::Child EvilWriter::delta(const model::Child& base, const std::vector<std::uint32_t>& removed,
                               const std::vector<model::Entry>& changed) {
  model::Child made =
      put(model::ChunkType::leaf, model::encode_delta({base.address, base.id, removed}, changed));
  made.first_path = base.first_path;
  return made;
}

model::Child EvilWriter::node(std::uint8_t level, const std::vector<model::Child>& children) {
  model::Child made = put(model::ChunkType::node, model::encode_node(level, children));
  made.first_path = children.front().first_path;
  for (const model::Child& child : children) {
    made.entries += child.entries;
    made.files += child.files;
    made.bytes += child.bytes;
  }
  return made;
}

void EvilWriter::add_root(const model::Child& top, std::uint8_t level, std::string name) {
  model::Root root;
  root.name = std::move(name);
  root.level = level;
  root.address = top.address;
  root.id = top.id;
  root.entries = top.entries;
  root.files = top.files;
  root.bytes = top.bytes;
  record_.roots.push_back(std::move(root));
}

void EvilWriter::commit() {
  HF_ASSERT(data_->finish({}).ok() && metadata_->finish({}).ok());
  const auto committed = transaction_->commit(record_, references_, nullptr, {});
  HF_ASSERT(committed.ok());
}

model::Entry evil_entry(std::string path, model::FileType type) {
  model::Entry entry;
  entry.path = std::move(path);
  entry.attributes.type = type;
  entry.attributes.mode = type == model::FileType::directory ? 0755 : 0644;
  entry.attributes.uid = ::geteuid();
  entry.attributes.gid = ::getegid();
  entry.mtime = {1'600'000'000, 0};
  return entry;
}

model::Entry evil_file(std::string path, const model::Child& chunk, std::uint64_t bytes) {
  model::Entry entry = evil_entry(std::move(path), model::FileType::regular);
  entry.size_bytes = bytes;
  if (bytes > 0) entry.content.push_back({.chunk = chunk.address, .id = {}, .offset = 0, .length = bytes});
  return entry;
}

}  // namespace holdfast::testing
