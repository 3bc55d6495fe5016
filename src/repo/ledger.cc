#include "repo/ledger.h"
#include <algorithm>

#include "base/codec.h"
#include "base/small_file.h"

namespace holdfast::repo {

namespace {

constexpr std::string_view kContext = "holdfast 0 ledger";
constexpr std::size_t kEntryBytes = 12 + 4 + 4 + 8;
constexpr std::uint64_t kFileBytesMax = Ledger::kEntriesMax * kEntryBytes + 4096;

}  // namespace

Ledger Ledger::open(const LocalState& local, Random& random, const Clock& clock) {
  const std::string path = local.directory().empty() ? "" : local.directory() + "/verified";
  Ledger ledger(path, local.key(), random, clock);
  ledger.entries_ = ledger.load();
  return ledger;
}

Ledger::Entries Ledger::load() const {
  if (path_.empty()) return {};
  const auto sealed = read_small_file(path_, kFileBytesMax);
  if (!sealed.ok() || !sealed.value()) return {};
  const auto plain = unseal(key_, as_bytes(kContext), *sealed.value());
  if (!plain.ok()) return {};
  const std::int64_t now = clock_.now_ns() / 1'000'000'000;
  Decoder in(plain.value());
  Entries entries;
  for (std::uint64_t left = in.count(kEntryBytes); left > 0; --left) {
    const model::PackId id = model::decode_pack(in);
    const std::uint32_t generation = in.u32();
    const auto seconds = static_cast<std::int64_t>(in.u64());
    if (seconds <= now) entries[{id, generation}] = seconds;
  }
  return in.finish("the ledger").ok() ? entries : Entries{};
}

std::optional<std::int64_t> Ledger::verified_at(const PackObject& pack) const {
  const auto at = entries_.find({pack.id, pack.generation});
  return at == entries_.end() ? std::nullopt : std::optional(at->second);
}

std::optional<std::int64_t> Ledger::newest() const {
  std::optional<std::int64_t> newest;
  for (const auto& [key, seconds] : entries_) newest = std::max(newest.value_or(seconds), seconds);
  return newest;
}

void Ledger::verified(const PackObject& pack, std::int64_t seconds) {
  entries_[{pack.id, pack.generation}] = seconds;
  dropped_.erase({pack.id, pack.generation});
}

void Ledger::forget(const PackObject& pack) {
  entries_.erase({pack.id, pack.generation});
  dropped_.insert({pack.id, pack.generation});
}

void Ledger::keep_only(const std::vector<PackObject>& packs) {
  std::set<Key> kept;
  for (const PackObject& pack : packs) kept.insert({pack.id, pack.generation});
  for (auto at = entries_.begin(); at != entries_.end();) {
    if (!kept.contains(at->first)) dropped_.insert(at->first);
    at = kept.contains(at->first) ? std::next(at) : entries_.erase(at);
  }
}

bool Ledger::save() {
  if (path_.empty()) return false;
  for (const auto& [key, seconds] : load()) {  // somebody may have saved since
    if (dropped_.contains(key)) continue;
    std::int64_t& mine = entries_.try_emplace(key, seconds).first->second;
    mine = std::max(mine, seconds);
  }
  if (entries_.size() > kEntriesMax) {
    std::vector<std::int64_t> times;
    for (const auto& [key, seconds] : entries_) times.push_back(seconds);
    const auto limit = times.begin() + static_cast<std::ptrdiff_t>(times.size() - kEntriesMax);
    std::nth_element(times.begin(), limit, times.end());
    const std::int64_t oldest = *limit;
    std::erase_if(entries_, [&](const auto& entry) { return entry.second < oldest; });
    for (auto at = entries_.begin(); at != entries_.end() && entries_.size() > kEntriesMax;)
      at = at->second == oldest ? entries_.erase(at) : std::next(at);
  }
  Encoder out;
  out.varint(entries_.size());
  for (const auto& [key, seconds] : entries_) {
    encode(out, key.first);
    out.u32(key.second);
    out.u64(static_cast<std::uint64_t>(seconds));
  }
  return replace_small_file(path_, seal(key_, as_bytes(kContext), out.bytes(), random_)).ok();
}

}  // namespace holdfast::repo
