#include "flow/repair_look.h"

#include <set>

#include "flow/frame_scan.h"

namespace holdfast::flow {

namespace {

// Whether the directory is the one that the manifest lists.
Result<void> compare(const PackPlan& plan, repo::PackReader& pack, std::uint32_t generation) {
  TRY(pack.frames().expect_generation());
  if (!plan.named) return {};
  if (listing_hash(pack.directory()) != plan.listing)
    return Error(Errc::damaged, "its directory is not what the manifest says");
  TRY(pack.frames().load_table({}));
  if (generation == 0 && pack.trailer().root != plan.root)
    return Error(Errc::damaged, "its root is not what the manifest says");
  return {};
}

// Of the slots `kept`, those that can't be had.
model::Slots lost_slots(const repo::PackReader& pack, repo::PackFrames& frames, const FrameLosses& losses,
                        const model::Slots& kept) {
  std::set<std::uint32_t> bad;
  for (const std::uint32_t position : losses.beyond_parity()) {
    if (position < frames.trailer().frames()) bad.insert(frames.number_of(position));
  }
  const std::size_t payload = pack.header().identity.payload_bytes();
  model::Slots out;
  for (std::uint32_t slot = 0; slot < pack.directory().size(); ++slot) {
    if (!kept.contains(slot)) continue;
    const repo::FrameSpan span = repo::span_of(pack.directory()[slot], payload);
    const auto at = bad.lower_bound(static_cast<std::uint32_t>(span.first));
    const bool touched = at != bad.end() && *at < span.end;
    if (touched || !pack.has(slot)) out.insert(slot);
  }
  return out;
}

Result<Look> examine(storage::Storage& storage, const repo::Repository& repository, const PackPlan& plan,
                     std::uint32_t generation, const model::Slots& kept, std::stop_token stop) {
  const auto root = plan.named ? std::optional(plan.root) : std::nullopt;
  const repo::PackReader::Keys keys{repository.config().id, nullptr, *repository.secrets().index, root};
  const auto pack = TRY(repo::PackReader::open(storage, keys, plan.object.id, generation, stop));
  TRY(compare(plan, *pack, generation));
  repo::PackFrames& frames = pack->frames();
  const FrameLosses losses = TRY(find_losses(frames, stop));
  Look look;
  look.bytes = frames.object_bytes();
  for (const std::string& note : frames.take_end_notes())
    look.wrong += (look.wrong.empty() ? "" : "; ") + note;
  if (!losses.empty()) look.wrong += (look.wrong.empty() ? "" : "; ") + losses.text();
  if (!losses.repairable()) look.lost = losses.text();
  if (losses.repairable() && generation == 0) return look;
  look.lost_slots = lost_slots(*pack, frames, losses, kept);
  if (look.lost.empty() && look.lost_slots.intersects(plan.needed)) {
    look.lost = "chunks that it lost earlier were not stored again yet";
    look.wrong += (look.wrong.empty() ? "" : "; ") + look.lost;
  }
  return look;
}

}  // namespace

model::Slots kept_of(const PackPlan& plan, const repo::LogState& log) {
  if (const auto gone = log.deleted.find(plan.object.id); gone != log.deleted.end()) return gone->second.kept;
  model::Slots all = model::Slots::first(plan.slots);
  all.unite(plan.needed);
  return all;
}

Result<Look> look_at(storage::Storage& storage, const repo::Repository& repository, const PackPlan& plan,
                     std::uint32_t generation, const model::Slots& kept, std::stop_token stop) {
  auto look = examine(storage, repository, plan, generation, kept, stop);
  if (look.ok() || look.error().kind() == Errc::stopped) return look;
  Look out;
  const Error& error = look.error();
  out.gone = error.kind() == Errc::not_found;
  if (out.gone) {
    out.wrong = out.lost = "the pack is missing";
    out.lost_slots = kept;
  } else if (severity_of(error.kind()) == Severity::damaged) {
    out.wrong = out.lost = error.text();
    out.lost_slots = kept;
  } else {
    out.unreachable = error.copy();
  }
  return out;
}

}  // namespace holdfast::flow
