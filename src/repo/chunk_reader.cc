#include "repo/chunk_reader.h"

namespace holdfast::repo {

namespace {

// Open packs remembered: a directory of about 16 KiB and two cipher contexts each.
constexpr std::size_t kPacksMax = 64;

}  // namespace

ChunkReader::ChunkReader(const Repository& repository, const LogState& log, std::uint64_t cache_bytes_max)
    : repository_(repository), log_(log), cache_bytes_max_(cache_bytes_max) {}

Result<Bytes> ChunkReader::read(const model::Address& address, std::stop_token stop) {
  for (auto at = plains_.begin(); at != plains_.end(); ++at) {
    if (at->address != address) continue;
    plains_.splice(plains_.begin(), plains_, at);
    return Bytes(plains_.front().bytes);
  }
  Buffer plain = TRY(fetch(address, stop));
  cache_bytes_ += plain.size();
  plains_.push_front({address, std::move(plain)});
  while (plains_.size() > 1 && cache_bytes_ > cache_bytes_max_) {
    cache_bytes_ -= plains_.back().bytes.size();
    plains_.pop_back();
  }
  return Bytes(plains_.front().bytes);
}

// Moves on to where the pack is now, as often as it is moved while it is read (decision 2, R2).
Result<Buffer> ChunkReader::fetch(const model::Address& address, std::stop_token stop) {
  for (;;) {
    const OpenPack* open = TRY(pack(address.pack, stop));
    auto plain = open->reader->read(address.slot, open->keys->chunk_id(), stop);
    tell(*open->reader);
    if (plain.ok() || plain.error().kind() != Errc::not_found) return plain;
    const auto before = log_.generation(address.pack);
    packs_.pop_front();
    TRY(follow_log(stop));
    if (log_.generation(address.pack) == before) {
      return Error(Errc::damaged, std::move(plain).error().text() + " (a pack is missing)");
    }
  }
}

// A damaged log must not keep anybody from reading what is there.
Result<void> ChunkReader::follow_log(std::stop_token stop) {
  auto followed = repository_.log().follow(log_, stop);
  return !followed.ok() && followed.error().kind() == Errc::damaged ? Result<void>() : std::move(followed);
}

Result<Buffer> ChunkReader::read_stored(const model::Address& address, std::stop_token stop) {
  const OpenPack* open = TRY(pack(address.pack, stop));
  auto stored = open->reader->read_stored(address.slot, stop);
  tell(*open->reader);
  return stored;
}

void ChunkReader::tell(PackReader& reader) const {
  for (const std::string& note : reader.frames().take_notes()) {
    if (on_rebuilt) on_rebuilt(reader.frames().name(), note);
  }
}

Result<DirectoryEntry> ChunkReader::describe(const model::Address& address, std::stop_token stop) {
  const OpenPack* open = TRY(pack(address.pack, stop));
  if (address.slot >= open->reader->directory().size()) {
    return Error(Errc::damaged, "a pack lacks a slot that a tree refers to");
  }
  return open->reader->directory()[address.slot];
}

Result<ChunkReader::OpenPack*> ChunkReader::pack(const model::PackId& id, std::stop_token stop) {
  for (auto at = packs_.begin(); at != packs_.end(); ++at) {
    if (at->id != id) continue;
    packs_.splice(packs_.begin(), packs_, at);
    return &packs_.front();
  }
  auto opened = open_pack(id, stop);
  while (!opened.ok() && opened.error().kind() == Errc::not_found) {
    const auto before = log_.generation(id);
    TRY(follow_log(stop));
    if (log_.generation(id) == before) break;
    opened = open_pack(id, stop);
  }
  if (!opened.ok() && opened.error().kind() == Errc::not_found) {
    const std::string missing = opened.error().text() + " (a pack is missing)";
    const auto other = TRY(generation_in_store(id, stop));
    if (!other) return Error(Errc::damaged, missing);
    opened = open_generation(id, *other, stop);
  }
  auto reader = TRY(std::move(opened));
  tell(*reader);
  SharedDomainKeys keys = TRY(repository_.keys_of(id.transaction, stop));
  packs_.push_front({id, std::move(reader), std::move(keys)});
  if (packs_.size() > kPacksMax) packs_.pop_back();
  return &packs_.front();
}

Result<std::unique_ptr<PackReader>> ChunkReader::open_pack(const model::PackId& id, std::stop_token stop) {
  const auto generation = log_.generation(id);
  if (!generation) return Error(Errc::damaged, pack_name(id, 0) + " was deleted, but something refers to it");
  return open_generation(id, *generation, stop);
}

Result<std::unique_ptr<PackReader>> ChunkReader::open_generation(const model::PackId& id,
                                                                 std::uint32_t generation,
                                                                 std::stop_token stop) {
  const SessionKey session = TRY(repository_.session_key(id.transaction, stop));
  return PackReader::open(repository_.storage(),
                          {repository_.config().id, &session, *repository_.secrets().index}, id, generation,
                          stop);
}

// Where the object that the log tells of is not there: the newest one that is. Any has what it has bit for
// bit.
Result<std::optional<std::uint32_t>> ChunkReader::generation_in_store(const model::PackId& id,
                                                                      std::stop_token stop) {
  std::optional<std::uint32_t> newest;
  std::string prefix = pack_name(id, 0);
  prefix.pop_back();  // the generation
  TRY(repository_.storage().list(
      prefix,
      [&](const storage::ObjectInfo& info) -> Result<void> {
        const auto object = parse_pack_name(info.name);
        if (object) newest = std::max(newest.value_or(0), object->generation);
        return {};
      },
      stop));
  return newest;
}

}  // namespace holdfast::repo
