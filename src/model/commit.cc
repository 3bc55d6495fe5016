#include "model/commit.h"

namespace holdfast::model {

namespace {

void encode(Encoder& out, const std::vector<std::string>& strings) {
  out.varint(strings.size());
  for (const std::string& text : strings) out.string(text);
}

std::vector<std::string> decode_strings(Decoder& in) {
  std::vector<std::string> strings(in.count(1));
  for (std::string& text : strings) text = in.string();
  return strings;
}

// What an encoded commit says of a root's name: where it is among the labels, nothing.
void encode(Encoder& out, const Root& root, std::string_view name) {
  out.u8(root.type);
  out.string(name);
  out.u8(root.level);
  model::encode(out, root.address);
  out.raw(root.id);
  out.varint(root.entries);
  out.varint(root.files);
  out.varint(root.bytes);
}

Root decode_root(Decoder& in) {
  Root root;
  root.type = in.u8();
  root.name = in.string();
  root.level = in.u8();
  root.address = decode_address(in);
  root.id = in.array<16>();
  root.entries = in.varint();
  root.files = in.varint();
  root.bytes = in.varint();
  return root;
}

void encode_names(Encoder& out, const Commit& commit) {
  out.string(commit.host);
  out.string(commit.user);
  out.string(commit.program);
  encode(out, commit.paths);
  encode(out, commit.tags);
  encode(out, commit.excludes);
}

void decode_names(Decoder& in, Commit& commit) {
  commit.host = in.string();
  commit.user = in.string();
  commit.program = in.string();
  commit.paths = decode_strings(in);
  commit.tags = decode_strings(in);
  commit.excludes = decode_strings(in);
}

}  // namespace

Buffer encode_labels(const Commit& commit) {
  Encoder out;
  encode_names(out, commit);
  out.varint(commit.roots.size());
  for (const Root& root : commit.roots) out.string(root.name);
  return out.take();
}

Result<void> decode_labels(Bytes bytes, Commit& commit) {
  Decoder in(bytes);
  decode_names(in, commit);
  if (in.count(1) != commit.roots.size()) in.fail();
  for (Root& root : commit.roots) root.name = in.string();
  return in.finish("a commit's labels");
}

void encode(Encoder& out, const Time& time) {
  out.svarint(time.seconds);
  out.varint(time.nanoseconds);
}

Time decode_time(Decoder& in) {
  Time time;
  time.seconds = in.svarint();
  const std::uint64_t nanoseconds = in.varint();
  if (nanoseconds >= 1'000'000'000) in.fail();
  time.nanoseconds = static_cast<std::uint32_t>(nanoseconds);
  return time;
}

std::uint64_t Commit::statistic(std::string_view name) const {
  for (const auto& [key, value] : statistics) {
    if (key == name) return value;
  }
  return 0;
}

Buffer encode(const Commit& commit) {
  Encoder out;
  encode(out, commit.transaction);
  out.raw(commit.run);
  out.u32(commit.domain);
  out.u8(static_cast<std::uint8_t>(commit.kind));
  out.u8(commit.partial ? 1 : 0);
  out.u8(static_cast<std::uint8_t>(commit.mode));
  out.u32(commit.previous_sequence);
  out.raw(commit.previous_hash);
  encode(out, commit.start);
  encode(out, commit.end);
  out.svarint(commit.zone_minutes);
  if (commit.domain == 0) {
    encode_names(out, commit);
  } else {
    out.blob(commit.sealed_labels);
  }
  out.u8(commit.parent ? 1 : 0);
  if (commit.parent) encode(out, *commit.parent);
  out.varint(commit.roots.size());
  for (const Root& root : commit.roots) encode(out, root, commit.domain == 0 ? root.name : "");
  out.varint(commit.statistics.size());
  for (const auto& [name, value] : commit.statistics) {
    out.string(name);
    out.varint(value);
  }
  out.raw(commit.manifest_hash);
  out.raw(commit.refs_hash);
  out.varint(commit.pages.size());
  for (const PagePointer& page : commit.pages) {
    encode(out, page.owner);
    out.varint(page.index);
  }
  return out.take();
}

Result<Commit> decode_commit(Bytes bytes) {
  Decoder in(bytes);
  Commit commit;
  commit.transaction = decode_transaction(in);
  commit.run = in.array<16>();
  commit.domain = in.u32();
  const std::uint8_t kind = in.u8();
  const std::uint8_t flags = in.u8();
  const std::uint8_t mode = in.u8();
  if (kind < 1 || kind > 2 || flags > 1 || mode > 2) in.fail();
  commit.kind = static_cast<CommitKind>(kind);
  commit.partial = flags != 0;
  commit.mode = static_cast<BackupMode>(mode);
  commit.previous_sequence = in.u32();
  commit.previous_hash = in.array<32>();
  commit.start = decode_time(in);
  commit.end = decode_time(in);
  const std::int64_t zone = in.svarint();
  commit.zone_minutes = static_cast<int>(zone);
  if (commit.zone_minutes != zone) in.fail();
  if (commit.domain == 0) {
    decode_names(in, commit);
  } else {
    const Bytes sealed = in.blob();
    commit.sealed_labels.assign(sealed.begin(), sealed.end());
  }
  if (in.u8() != 0) commit.parent = decode_transaction(in);
  commit.roots.resize(in.count(30));
  for (Root& root : commit.roots) root = decode_root(in);
  commit.statistics.resize(in.count(2));
  for (auto& [name, value] : commit.statistics) {
    name = in.string();
    value = in.varint();
  }
  commit.manifest_hash = in.array<32>();
  commit.refs_hash = in.array<32>();
  commit.pages.resize(in.count(13));
  for (PagePointer& page : commit.pages) {
    page.owner = decode_transaction(in);
    page.index = in.varint();
  }
  TRY(in.finish("a commit"));
  return commit;
}

Buffer encode(const Manifest& manifest) {
  Encoder out;
  encode(out, manifest.transaction);
  out.varint(manifest.packs.size());
  for (const ManifestPack& pack : manifest.packs) {
    out.u32(pack.pack);
    out.u64(pack.object_bytes);
    out.raw(pack.root);
    out.varint(pack.chunks.size());
    for (const ManifestChunk& chunk : pack.chunks) {
      out.raw(chunk.id);
      out.u8(static_cast<std::uint8_t>(chunk.type));
      out.varint(chunk.plain_bytes);
      out.varint(chunk.stored_bytes);
    }
  }
  return out.take();
}

Result<Manifest> decode_manifest(Bytes bytes) {
  Decoder in(bytes);
  Manifest manifest;
  manifest.transaction = decode_transaction(in);
  manifest.packs.resize(in.count(45));
  for (ManifestPack& pack : manifest.packs) {
    pack.pack = in.u32();
    pack.object_bytes = in.u64();
    pack.root = in.array<32>();
    pack.chunks.resize(in.count(35));
    for (ManifestChunk& chunk : pack.chunks) {
      chunk.id = in.array<32>();
      const std::uint8_t type = in.u8();
      if (type < 1 || type > 4) in.fail();
      chunk.type = static_cast<ChunkType>(type);
      chunk.plain_bytes = in.varint32();
      chunk.stored_bytes = in.varint32();
    }
  }
  TRY(in.finish("a manifest"));
  return manifest;
}

}  // namespace holdfast::model
