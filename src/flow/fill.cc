#include "flow/fill.h"

#include <fmt/core.h>

#include "flow/check_findings.h"
#include "parity/checksum.h"
#include "repo/chunk_reader.h"
#include "repo/pack_writer.h"

namespace holdfast::flow {

using model::Address;
using model::PackId;

namespace {

// Of one chunk, how many places are remembered.
constexpr std::size_t kPlacesMax = 8;

// Whether another place may have what is lost here; anything else must not be taken for a loss.
bool is_loss(Errc kind) { return severity_of(kind) == Severity::damaged; }

// Where a chunk of the new object comes from.
struct Origin {
  enum class From : std::uint8_t { nowhere, here, elsewhere } from = From::nowhere;
  Address place{};
  repo::Codec codec = repo::Codec::raw;
  std::uint32_t stored_bytes = 0;
};

class Filler {
 public:
  Filler(const repo::Repository& repository, const repo::LogState& log, const Filling& filling,
         const FillTarget& target, std::stop_token stop)
      : repository_(repository),
        filling_(filling),
        target_(target),
        stop_(std::move(stop)),
        elsewhere_(repository, log) {}

  Result<model::Slots> run();

 private:
  Result<void> open_here(const repo::SessionKey& session);
  Result<Origin> origin_of(std::uint32_t slot);
  const crypto::Key& chunk_id_key() const { return keys_->chunk_id(); }
  Result<Origin> look_elsewhere(std::uint32_t slot);
  Result<void> write(const repo::SessionKey& session);
  Result<Buffer> stored(std::uint32_t slot);
  Result<void> read_back(const repo::SessionKey& session);

  const repo::Repository& repository_;
  const Filling& filling_;
  const FillTarget& target_;
  std::stop_token stop_;
  repo::SharedDomainKeys keys_;  // of the pack's key domain
  repo::ChunkReader elsewhere_;
  std::unique_ptr<repo::PackReader> here_;  // null: nothing of it can be read
  std::vector<Origin> origins_;             // by slot
};

// The pack's object as it is. None of it may be readable.
Result<void> Filler::open_here(const repo::SessionKey& session) {
  auto opened = repo::PackReader::open(repository_.storage(),
                                       {repository_.config().id, &session, *repository_.secrets().index},
                                       filling_.pack, target_.from, stop_);
  if (!opened.ok() && !is_loss(opened.error().kind())) return std::move(opened).error();
  if (opened.ok() && opened.value()->directory().size() == filling_.chunks.size())
    here_ = std::move(opened).value();
  return {};
}

Result<Origin> Filler::origin_of(std::uint32_t slot) {
  if (!target_.kept.contains(slot)) return Origin{};  // deleted
  if (here_ != nullptr && here_->has(slot)) {
    const repo::DirectoryEntry& entry = here_->directory()[slot];
    const auto plain = here_->read(slot, chunk_id_key(), stop_);
    if (!plain.ok() && !is_loss(plain.error().kind())) return plain.error().copy();
    if (plain.ok() && entry.id == filling_.chunks[slot].id)
      return Origin{Origin::From::here, {}, entry.codec, entry.stored_bytes};
  }
  return look_elsewhere(slot);
}

Result<Origin> Filler::look_elsewhere(std::uint32_t slot) {
  const auto sources = filling_.sources.find(slot);
  if (sources == filling_.sources.end()) return Origin{};
  for (const Address& place : sources->second) {
    const auto plain = elsewhere_.read(place, stop_);
    if (!plain.ok() && !is_loss(plain.error().kind())) return plain.error().copy();
    if (!plain.ok()) continue;
    const repo::DirectoryEntry entry = TRY(elsewhere_.describe(place, stop_));
    if (entry.id != filling_.chunks[slot].id || entry.type != filling_.chunks[slot].type) continue;
    return Origin{Origin::From::elsewhere, place, entry.codec, entry.stored_bytes};
  }
  return Origin{};
}

Result<Buffer> Filler::stored(std::uint32_t slot) {
  const Origin& origin = origins_[slot];
  return origin.from == Origin::From::here ? here_->read_stored(slot, stop_)
                                           : elsewhere_.read_stored(origin.place, stop_);
}

Result<void> Filler::write(const repo::SessionKey& session) {
  repo::PackWriter::Anew anew;
  anew.generation = target_.to;
  anew.slots = static_cast<std::uint32_t>(origins_.size());
  for (const Origin& origin : origins_) {
    anew.stream_bytes += origin.stored_bytes;
    anew.any_lost = anew.any_lost || origin.from == Origin::From::nowhere;
  }
  repo::PackWriter writer(
      repository_.storage(),
      {repository_.config().id, session, *repository_.secrets().index, repository_.random()}, filling_.pack,
      anew);
  for (std::uint32_t slot = 0; slot < origins_.size(); ++slot) {
    const model::ManifestChunk& chunk = filling_.chunks[slot];
    if (origins_[slot].from == Origin::From::nowhere) {
      writer.add_lost(chunk);
      continue;
    }
    const Buffer bytes = TRY(stored(slot));
    const std::uint64_t sum = parity::checksum(bytes);
    TRY(writer.add({chunk.id, chunk.type, origins_[slot].codec, chunk.plain_bytes, bytes, sum}));
  }
  const auto put = writer.finish(stop_);
  const std::string name = repo::pack_name(filling_.pack, target_.to);
  if (!put.ok() && put.error().kind() == Errc::exists)
    return Error(Errc::conflict, "a prune put " + name + " meanwhile").hint("run the command again");
  if (!put.ok()) return put.error().copy().context("putting " + name);
  return repository_.storage().barrier(stop_);
}

Result<void> Filler::read_back(const repo::SessionKey& session) {
  const auto pack = TRY(repo::PackReader::open(
      repository_.storage(), {repository_.config().id, &session, *repository_.secrets().index}, filling_.pack,
      target_.to, stop_));
  for (std::uint32_t slot = 0; slot < origins_.size(); ++slot) {
    if (origins_[slot].from == Origin::From::nowhere) continue;
    TRY(pack->read(slot, chunk_id_key(), stop_));
  }
  const auto& refused = pack->frames().refused();
  if (refused) return refused->copy().context("reading back " + pack->frames().name());
  if (pack->frames().take_notes().empty()) return {};
  return Error(Errc::damaged,
               pack->frames().name() + " was written anew and does not read back as it was written")
      .hint("this store does not keep what it says; do not use it before you know why");
}

Result<model::Slots> Filler::run() {
  const repo::SessionKey session = TRY(repository_.session_key(filling_.pack.transaction, stop_));
  keys_ = TRY(repository_.domain_keys(session.place.domain, stop_));
  TRY(open_here(session));
  model::Slots has;
  bool any = false;
  for (std::uint32_t slot = 0; slot < filling_.chunks.size(); ++slot) {
    if (stop_.stop_requested()) return Error(Errc::stopped, "stopped");
    const Origin origin = TRY(origin_of(slot));
    origins_.push_back(origin);
    if (origins_.back().from != Origin::From::nowhere) has.insert(slot);
    any = any || origins_.back().from == Origin::From::elsewhere;
  }
  if (!any)
    return Error(Errc::damaged, "what was stored again of its chunks is damaged too, or no longer there");
  TRY(write(session));
  TRY(read_back(session));
  return has;
}

}  // namespace

Result<std::vector<Filling>> find_fillings(const repo::Repository& repository, const repo::LogState& log,
                                           const model::References& lost, std::stop_token stop) {
  std::vector<Filling> fillings;
  if (lost.empty()) return fillings;
  const repo::History history = TRY(repository.readable_history(stop));
  const auto for_each_pack = [&](const auto& visit) -> Result<void> {
    for (const repo::Snapshot& snapshot : history.commits) {
      if (stop.stop_requested()) return Error(Errc::stopped, "stopped");
      const model::TransactionId& id = snapshot.commit.transaction;
      auto manifest = repository.read_manifest(id, stop);
      if (!manifest.ok() && !is_loss(manifest.error().kind())) return manifest.error().copy();
      if (!manifest.ok()) continue;
      for (model::ManifestPack& pack : manifest.value().packs) visit(PackId{id, pack.pack}, pack);
    }
    return {};
  };
  std::map<model::ChunkId, std::vector<Address>> places;
  TRY(for_each_pack([&](const PackId& id, model::ManifestPack& pack) {
    const auto at = lost.find(id);
    if (at == lost.end()) return;
    for (std::uint32_t slot = 0; slot < pack.chunks.size(); ++slot) {
      if (at->second.contains(slot)) places[pack.chunks[slot].id];
    }
    fillings.push_back({id, std::move(pack.chunks), {}});
  }));
  TRY(for_each_pack([&](const PackId& id, model::ManifestPack& pack) {
    const auto at = lost.find(id);
    const auto gone = log.deleted.find(id);
    if (!log.generation(id)) return;
    for (std::uint32_t slot = 0; slot < pack.chunks.size(); ++slot) {
      const auto wanted = places.find(pack.chunks[slot].id);
      if (wanted == places.end() || wanted->second.size() >= kPlacesMax) continue;
      if (at != lost.end() && at->second.contains(slot)) continue;
      if (gone != log.deleted.end() && !gone->second.kept.contains(slot)) continue;
      wanted->second.push_back({id, slot});
    }
  }));
  for (Filling& filling : fillings) {
    for (std::uint32_t slot = 0; slot < filling.chunks.size(); ++slot) {
      const auto at = places.find(filling.chunks[slot].id);
      if (!lost.at(filling.pack).contains(slot) || at == places.end() || at->second.empty()) continue;
      filling.sources[slot] = at->second;
    }
  }
  std::erase_if(fillings, [](const Filling& filling) { return filling.sources.empty(); });
  return fillings;
}

Result<model::Slots> fill(const repo::Repository& repository, const repo::LogState& log,
                          const Filling& filling, const FillTarget& target, std::stop_token stop) {
  return Filler(repository, log, filling, target, std::move(stop)).run();
}

}  // namespace holdfast::flow
