// Objects of the repository as JSON, for people who look into it. Secrets never.
#include <fmt/core.h>

#include "cli/commands.h"
#include "cli/snapshot_view.h"
#include "cli/wire.h"

namespace holdfast::cli {

void declare(Syntax& syntax, CatOptions& options) {
  Argument& type = syntax.argument("TYPE", &options.type, "what to show");
  type.choices = {"config", "snapshot", "manifest", "references", "key", "log"};
  type.required = true;
  syntax.argument("ID", &options.id, "a snapshot, a key; not needed for config and log");
}

namespace {

std::string address_text(const model::PackId& pack) {
  return repo::text(pack.transaction) + "-" + std::to_string(pack.pack);
}

JsonObject config_json(const repo::Config& config) {
  JsonObject object;
  object.add("id", hex(config.id)).add("version", 0).add("created", time_text_exact(config.created, 0));
  object.add("admin_public", hex(config.admin)).add("commit_public", hex(config.commit));
  object.add("log_public", hex(config.log)).add("read_public", hex(config.read));
  JsonObject chunks;
  chunks.add("min", config.chunks.size_min)
      .add("average", config.chunks.size_average)
      .add("max", config.chunks.size_max);
  return object.raw("chunks", chunks.text());
}

JsonObject commit_json(const repo::History& history, const repo::Snapshot& snapshot) {
  JsonObject object = snapshot_json(history, snapshot);
  object.add("transaction", repo::text(snapshot.commit.transaction)).add("run", hex(snapshot.commit.run));
  std::vector<std::string> roots;
  for (const model::Root& root : snapshot.commit.roots) {
    JsonObject one;
    one.add("type", root.type).add("name", root.name).add("level", root.level);
    one.add("pack", address_text(root.address.pack)).add("slot", root.address.slot);
    one.add("entries", root.entries).add("files", root.files).add("bytes", root.bytes);
    roots.push_back(one.text());
  }
  return object.raw("roots", json_array(roots)).add("reference_pages", snapshot.commit.pages.size());
}

const char* chunk_type(model::ChunkType type) {
  switch (type) {
    case model::ChunkType::data:
      return "data";
    case model::ChunkType::bundle:
      return "bundle";
    case model::ChunkType::leaf:
      return "leaf";
    case model::ChunkType::node:
      return "node";
  }
  return "?";
}

std::string manifest_json(const model::Manifest& manifest) {
  std::vector<std::string> packs;
  for (const model::ManifestPack& pack : manifest.packs) {
    std::vector<std::string> chunks;
    for (const model::ManifestChunk& chunk : pack.chunks) {
      JsonObject one;
      one.add("id", hex(chunk.id)).add("type", chunk_type(chunk.type));
      one.add("plain_bytes", chunk.plain_bytes).add("stored_bytes", chunk.stored_bytes);
      chunks.push_back(one.text());
    }
    JsonObject one;
    one.add("pack", pack.pack).add("object_bytes", pack.object_bytes).add("root", hex(pack.root));
    packs.push_back(one.raw("chunks", json_array(chunks)).text());
  }
  JsonObject object;
  return object.add("transaction", repo::text(manifest.transaction)).raw("packs", json_array(packs)).text();
}

std::string references_json(const model::References& references) {
  std::vector<std::string> packs;
  for (const auto& [pack, slots] : references) {
    packs.push_back(JsonObject().add("pack", address_text(pack)).add("slots_in_use", slots.count()).text());
  }
  return json_array(packs);
}

Result<std::string> keys_json(const repo::Repository& repository, const std::string& id,
                              std::stop_token stop) {
  const auto keys = TRY(repository.keys(stop));
  std::vector<std::string> objects;
  for (const auto& key : keys) {
    if (!key.name.substr(std::string_view(repo::kKeyPrefix).size()).starts_with(id)) continue;
    JsonObject object;
    object.add("name", key.name);
    if (!key.trouble.empty()) {
      objects.push_back(object.add("message", key.trouble).text());
      continue;
    }
    object.add("label", key.slot.label).add("created", time_text_exact(key.slot.created, 0));
    object.add("role", repo::describe(key.slot.rights));
    if (key.slot.kind == repo::SlotKind::recipient) {
      object.add("recipient", hex(key.slot.recipient));
    } else {
      object.add("kdf", "argon2id")
          .add("passes", key.slot.cost.passes)
          .add("memory_kib", key.slot.cost.memory_kib);
    }
    objects.push_back(object.add("current", key.current).text());
  }
  if (objects.empty()) return Error(Errc::not_found, "there is no key " + id);
  return json_array(objects);
}

std::vector<std::string> texts(const std::set<model::TransactionId>& ids) {
  std::vector<std::string> out;
  for (const model::TransactionId& id : ids) out.push_back(repo::text(id));
  return out;
}

// What the entries add up to.
std::string log_json(const repo::LogState& log) {
  JsonObject object;
  object.add("next", log.next).add("last_hash", hex(log.last_hash)).add("void_entries", log.void_entries);
  object.add("forgotten", texts(log.forgotten)).add("abandoned", texts(log.abandoned));
  object.add("witnessed", texts(log.witnessed));
  std::vector<std::string> condemned, deleted;
  for (const auto& [pack, what] : log.condemned) {
    JsonObject one;
    one.add("pack", address_text(pack)).add("entry", what.entry).add("slots_kept", what.kept.count());
    condemned.push_back(one.text());
  }
  for (const auto& [pack, what] : log.deleted) {
    JsonObject one;
    one.add("pack", address_text(pack))
        .add("generation", what.generation)
        .add("slots_kept", what.kept.count());
    deleted.push_back(one.text());
  }
  return object.raw("condemned", json_array(condemned)).raw("deleted", json_array(deleted)).text();
}

}  // namespace

Result<int> run(Context& context, const CatOptions& options) {
  const bool in_the_clear = options.type == "config" || options.type == "key";
  const Session session = TRY(open_session(context, {}));
  if (!in_the_clear) TRY(repo::require(session.repository->secrets(), {repo::Right::index}));
  const repo::Repository& repository = *session.repository;
  std::string text;
  int unreadable = 0;
  if (options.type == "config") {
    text = config_json(repository.config()).text();
  } else if (options.type == "key") {
    text = TRY(keys_json(repository, options.id, context.stop));
  } else {
    const flow::SnapshotList list = TRY(flow::SnapshotList::readable(repository, context.stop));
    unreadable = warn_unreadable(context, list.history());
    if (options.type == "log") {
      text = log_json(list.history().log);
    } else {
      const flow::PickedSnapshot picked = TRY(list.pick(options.id.empty() ? "latest" : options.id, {}));
      if (options.type == "snapshot") {
        text = commit_json(list.history(), *picked.snapshot).text();
      } else if (options.type == "manifest") {
        const model::Manifest manifest =
            TRY(repository.read_manifest(picked.snapshot->commit.transaction, context.stop));
        text = manifest_json(manifest);
      } else {
        const model::References references =
            TRY(repository.read_references(picked.snapshot->commit, context.stop));
        text = references_json(references);
      }
    }
  }
  context.out.line(text);
  return unreadable;
}

}  // namespace holdfast::cli
