#include "flow/check_packs.h"

#include <thread>

#include <atomic>

#include <fmt/core.h>

#include "base/task_group.h"
#include "flow/chunk_scan.h"
#include "flow/frame_scan.h"

namespace holdfast::flow {

using model::PackId;

namespace {

// Not how they are stored: what is filled in may be compressed otherwise.
void encode_chunk(Encoder& out, const model::ChunkId& id, model::ChunkType type, std::uint32_t plain) {
  out.raw(id);
  out.u8(static_cast<std::uint8_t>(type));
  out.u32(plain);
}

struct PackResult {
  bool opened = false, read = false;
  std::uint64_t frames = 0, chunks = 0, bytes = 0;
  std::vector<KnownChunk> known;
};

// Checks one pack after the other. One thread at a time.
class PackCheck {
 public:
  PackCheck(const repo::Repository& repository, CheckFindings& findings)
      : repository_(repository), findings_(findings) {}

  // Errors: stopped.
  Result<PackResult> run(PackPlan plan, std::stop_token stop);

 private:
  Result<PackResult> attempt(const PackPlan& plan, std::stop_token stop);
  void compare_with_manifest(const PackPlan& plan, const repo::PackReader& pack, const std::string& name);
  Result<void> read_all(const PackPlan& plan, repo::PackReader& pack, PackResult& result,
                        std::stop_token stop);
  void report(const PackPlan& plan, repo::PackFrames& frames, const FrameLosses& losses, ChunkScan& chunks);

  const repo::Repository& repository_;
  CheckFindings& findings_;
  ChunkBuffers buffers_;
};

Result<PackResult> PackCheck::run(PackPlan plan, std::stop_token stop) {
  auto result = attempt(plan, stop);
  if (!result.ok() && result.error().kind() == Errc::not_found) {
    // Relocated or deleted since the log was read?
    const auto generation = findings_.generation_now(plan.object.id, stop);
    if (generation.ok() && !generation.value()) return PackResult{};
    if (generation.ok() && *generation.value() != plan.object.generation) {
      plan.object.generation = *generation.value();
      result = attempt(plan, stop);
    }
  }
  if (result.ok() || result.error().kind() == Errc::stopped) return result;
  const std::string name = repo::pack_name(plan.object.id, plan.object.generation);
  if (result.error().kind() == Errc::not_found) {
    findings_.damaged("pack", name, "the pack is missing", DamagedSlots{plan.object.id, {}, plan.slots});
  } else {
    findings_.add("pack", name, result.error(), DamagedSlots{plan.object.id, {}, plan.slots});
  }
  return PackResult{};
}

Result<PackResult> PackCheck::attempt(const PackPlan& plan, std::stop_token stop) {
  const auto root = plan.named ? std::optional(plan.root) : std::nullopt;
  const repo::PackReader::Keys keys{repository_.config().id, nullptr, *repository_.secrets().index, root};
  const auto pack =
      TRY(repo::PackReader::open(repository_.storage(), keys, plan.object.id, plan.object.generation, stop));
  repo::PackFrames& frames = pack->frames();
  TRY(frames.expect_generation());
  PackResult result;
  if (plan.read) {
    TRY(read_all(plan, *pack, result, stop));
  } else {
    TRY(frames.check_front(stop));  // whoever has lost the end needs it
    for (const std::string& note : frames.take_notes()) findings_.warn("pack", frames.name(), note);
  }
  if (plan.named && plan.object.generation == 0) TRY(frames.load_table(stop));
  compare_with_manifest(plan, *pack, frames.name());
  result.opened = true;
  for (const repo::DirectoryEntry& e : pack->directory()) {
    result.known.push_back({model::short_id(e.id), e.plain_bytes, e.type});
  }
  return result;
}

void PackCheck::compare_with_manifest(const PackPlan& plan, const repo::PackReader& pack,
                                      const std::string& name) {
  if (!plan.named) return;
  if (listing_hash(pack.directory()) != plan.listing) {
    findings_.damaged("pack", name, "its directory is not what the manifest says",
                      DamagedSlots{plan.object.id, {}});
  } else if (plan.object.generation == 0 && pack.trailer().root != plan.root) {
    findings_.damaged("pack", name, "its root is not what the manifest says",
                      DamagedSlots{plan.object.id, {}});
  }
}

Result<void> PackCheck::read_all(const PackPlan& plan, repo::PackReader& pack, PackResult& result,
                                 std::stop_token stop) {
  repo::PackFrames& frames = pack.frames();
  const repo::Identity& identity = frames.header().identity;
  const repo::SessionKey session = TRY(repository_.session_key(plan.object.id.transaction, stop));
  TRY(repo::expect_session(identity, session));
  const repo::SharedDomainKeys keys = TRY(repository_.domain_keys(session.place.domain, stop));
  ChunkScan chunks(pack.directory(), identity.payload_bytes(),
                   repo::FrameCipher(repo::data_keys(session.secret, identity.salt), frames.identity_hash()),
                   keys->chunk_id(), buffers_);
  FrameLosses losses(frames.trailer());
  Result<void> trouble;
  const auto visit = [&](std::uint32_t position, Bytes frame, bool whole) {
    ++result.frames;
    if (!whole) losses.add(position);
    if (position >= frames.trailer().data_frames) return;
    const std::uint32_t number = frames.number_of(position);
    const auto good = whole ? Result<Bytes>(frame) : frames.rebuild(position, stop);
    if (good.ok()) {
      chunks.add(number, good.value());
      return;
    }
    if (good.error().kind() != Errc::damaged) trouble = good.error().copy();
    chunks.add_lost(number);
  };
  TRY(scan_frames(frames, Judge::visitor, visit, stop));
  TRY(std::move(trouble));
  report(plan, frames, losses, chunks);
  result.read = true;
  result.chunks = chunks.checked();
  result.bytes = frames.object_bytes();
  return {};
}

void PackCheck::report(const PackPlan& plan, repo::PackFrames& frames, const FrameLosses& losses,
                       ChunkScan& chunks) {
  for (const std::string& note : frames.take_end_notes()) findings_.warn("pack", frames.name(), note);
  // Of a relocated pack only what is needed was kept; of others everything.
  model::Slots bad = chunks.damaged();
  const model::Slots absent = chunks.absent();
  const bool relocated = plan.object.generation != 0;
  std::uint32_t lacking = 0;
  for (std::uint32_t slot = 0; slot < repo::kPackSlotsMax; ++slot) {
    if (!absent.contains(slot) || (relocated && !plan.needed.contains(slot))) continue;
    bad.insert(slot);
    ++lacking;
  }
  if (!losses.empty() && (!bad.empty() || !losses.repairable())) {
    const std::string text = fmt::format("{}; chunks touched: {}", losses.text(), bad.count());
    findings_.damaged("pack", frames.name(), text, DamagedSlots{plan.object.id, bad});
  } else if (!losses.empty()) {
    findings_.warn("pack", frames.name(), losses.text());
  } else if (!bad.empty()) {
    const std::string text = fmt::format(
        "{} chunks are not what they must be, of which {} are not there at all", bad.count(), lacking);
    findings_.damaged("pack", frames.name(), text, DamagedSlots{plan.object.id, bad});
  }
}

}  // namespace

Hash listing_hash(const std::vector<model::ManifestChunk>& chunks) {
  Encoder out;
  for (const model::ManifestChunk& c : chunks) encode_chunk(out, c.id, c.type, c.plain_bytes);
  return crypto::hash(out.bytes());
}

Hash listing_hash(const std::vector<repo::DirectoryEntry>& directory) {
  Encoder out;
  for (const repo::DirectoryEntry& e : directory) encode_chunk(out, e.id, e.type, e.plain_bytes);
  return crypto::hash(out.bytes());
}

unsigned worker_count(unsigned asked) {
  return asked != 0 ? asked : std::max(2u, std::thread::hardware_concurrency());
}

Result<void> for_each_of(std::size_t count, unsigned workers,
                         const std::function<Result<void>(std::size_t, std::stop_token)>& task,
                         std::stop_token stop) {
  std::atomic<std::size_t> next{0};
  const auto work = [&](std::stop_token inner) -> Result<void> {
    for (std::size_t i = next++; i < count; i = next++) {
      if (inner.stop_requested()) return Error(Errc::stopped, "stopped");
      TRY(task(i, inner));
    }
    return {};
  };
  if (workers <= 1) return work(stop);
  TaskGroup group(stop);
  for (unsigned i = 0; i < workers; ++i) group.spawn(work);
  return group.wait();
}

Result<KnownChunks> check_packs(const repo::Repository& repository, const std::vector<PackPlan>& plans,
                                unsigned workers, CheckFindings& findings, CheckReport& report,
                                Observer& observer, const PackHooks& hooks, std::stop_token stop) {
  std::mutex mutex;  // guards what is below, and report
  std::vector<std::unique_ptr<PackCheck>> idle;
  KnownChunks known;
  Progress progress;
  progress.files_total = plans.size();
  const auto task = [&](std::size_t i, std::stop_token inner) -> Result<void> {
    if (hooks.may_begin && !hooks.may_begin(i)) return {};
    std::unique_ptr<PackCheck> check;
    {
      const std::lock_guard lock(mutex);
      if (!idle.empty()) {
        check = std::move(idle.back());
        idle.pop_back();
      }
    }
    if (check == nullptr) check = std::make_unique<PackCheck>(repository, findings);
    PackResult result = TRY(check->run(plans[i], inner));
    const std::lock_guard lock(mutex);
    idle.push_back(std::move(check));
    report.packs_opened += result.opened ? 1 : 0;
    report.packs_read += result.read ? 1 : 0;
    report.frames += result.frames;
    report.chunks += result.chunks;
    report.bytes_read += result.bytes;
    if (result.read && hooks.on_read) hooks.on_read(i);
    if (result.opened) known.emplace(plans[i].object.id, std::move(result.known));
    ++progress.files_done;
    progress.bytes_done = report.bytes_read;
    observer.progress(progress, repo::pack_name(plans[i].object.id, plans[i].object.generation));
    return {};
  };
  TRY(for_each_of(plans.size(), workers, task, stop));
  return known;
}

}  // namespace holdfast::flow
