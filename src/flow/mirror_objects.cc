#include "flow/mirror_objects.h"

#include <fmt/core.h>

#include "flow/frame_scan.h"

namespace holdfast::flow {

using repo::Vital;

std::optional<Vital> vital_kind(std::string_view name) {
  if (name == repo::kConfigName) return Vital::config;
  if (name.starts_with(repo::kKeyPrefix)) return Vital::key;
  if (repo::parse_log_name(name)) return Vital::log;
  if (const auto domain = repo::parse_domain_name(name))
    return domain->erasure ? Vital::erasure : Vital::domain;
  const auto object = repo::parse_transaction_name(name);
  if (!object) return std::nullopt;
  if (object->what == "open") return Vital::open;
  if (object->what == "man") return Vital::manifest;
  if (object->what == "refs") return Vital::refs;
  if (object->what == "fate") return Vital::fate;
  return std::nullopt;
}

namespace {

std::string kind_word(std::string_view name) {
  if (repo::parse_pack_name(name)) return "pack";
  if (repo::parse_log_name(name)) return "log";
  if (repo::parse_domain_name(name)) return "domain";
  if (name.starts_with(repo::kKeyPrefix)) return "key";
  return repo::parse_transaction_name(name) ? "transaction" : "config";
}

// Frames in memory at a time.
constexpr std::uint64_t kWindowBytes = 4 * kMiB;

bool tells_damage(Errc kind) { return severity_of(kind) == Severity::damaged && kind != Errc::not_found; }

}  // namespace

// With its table; what a store has under that name is that pack.
Result<std::unique_ptr<repo::PackFrames>> ObjectMirror::open_pack(storage::Storage& storage,
                                                                  const repo::PackObject& pack,
                                                                  std::stop_token stop) const {
  auto frames = TRY(repo::PackFrames::open(storage, {id_, nullptr, {}}, pack, stop));
  TRY(frames->expect_generation());
  TRY(frames->check_front(stop));
  TRY(frames->load_table(stop));
  return frames;
}

Result<Mirrored> ObjectMirror::lost_at_source(const std::string& name, Error error) {
  if (error.kind() == Errc::not_found) return Mirrored::vanished;
  if (!tells_damage(error.kind())) return std::move(error).context("reading the source's " + name);
  findings_.damaged(kind_word(name), name, "not copied, damaged at the source: " + error.text());
  return Mirrored::damaged;
}

Mirrored ObjectMirror::wrong_in_target(const std::string& name, std::string_view why) {
  findings_.damaged(kind_word(name), name, fmt::format("the target's object is not the source's: {}", why));
  return Mirrored::damaged;
}

// An object that is there by now was put by a run before, or by this one through a store that lost its
// answer.
Result<MirroredObject> ObjectMirror::put_result(const std::string& name, Result<void> put,
                                                std::uint64_t size_bytes, std::stop_token stop) {
  if (put.ok()) return MirroredObject{Mirrored::copied, size_bytes};
  if (put.error().kind() != Errc::exists)
    return std::move(put).error().context("writing the target's " + name);
  const storage::ObjectInfo info = TRY(to_.stat(name, stop));
  if (info.size_bytes == size_bytes) return MirroredObject{Mirrored::copied, size_bytes};
  return MirroredObject{wrong_in_target(name, fmt::format("{} bytes, not {}", info.size_bytes, size_bytes))};
}

// As it was written: where one of its two copies is damaged, made whole.
Result<Buffer> ObjectMirror::read_small(storage::Storage& storage, const std::string& name,
                                        std::stop_token stop) {
  Buffer object = TRY(storage.get(name, {}, stop));
  const auto kind = vital_kind(name);
  if (!kind) return object;
  const repo::Unwrapped vital = TRY(repo::unwrap_vital(*kind, object, name));
  if (!vital.one_copy_damaged) return object;
  return repo::wrap_vital(*kind, vital.body);
}

Result<MirroredObject> ObjectMirror::unread(const std::string& name, Error error) {
  const Mirrored what = TRY(lost_at_source(name, std::move(error)));
  return MirroredObject{what};
}

// What parity reaches is copied as it was written, not as it is.
Result<MirroredObject> ObjectMirror::copy_pack(const repo::PackObject& pack, const std::string& name,
                                               std::stop_token stop) {
  auto opened = open_pack(from_, pack, stop);
  if (!opened.ok()) return unread(name, std::move(opened).error());
  repo::PackFrames& object = *opened.value();
  const auto spool = TRY_AS(to_.spool(), "writing the target's " + name);
  TRY_AS(spool->append(object.header_bytes()), "writing the target's " + name);
  const auto step = static_cast<std::uint32_t>(kWindowBytes / object.frame_bytes());
  for (std::uint32_t first = 0; first < object.all_frames(); first += step) {
    auto frames = object.read(first, std::min(step, object.all_frames() - first), stop);
    if (!frames.ok()) return unread(name, std::move(frames).error());
    TRY_AS(spool->append(frames.value()), "writing the target's " + name);
  }
  const Buffer trailer = repo::encode_trailer(object.trailer(), object.header_bytes());
  for (const Bytes part : {object.table(), object.table(), Bytes(trailer)})
    TRY_AS(spool->append(part), "writing the target's " + name);
  for (const std::string& note : object.take_notes())
    findings_.warn("pack", name, "at the source: " + note + "; the copy is whole");
  return put_result(name, to_.put(name, *spool, stop), spool->size_bytes(), stop);
}

Result<MirroredObject> ObjectMirror::copy(const std::string& name, std::stop_token stop) {
  if (const auto pack = repo::parse_pack_name(name)) return copy_pack(*pack, name, stop);
  auto object = read_small(from_, name, stop);
  if (!object.ok()) return unread(name, std::move(object).error());
  return put_result(name, to_.put(name, object.value(), stop), object.value().size(), stop);
}

Result<Mirrored> ObjectMirror::compare_pack(const repo::PackObject& pack, const std::string& name,
                                            std::stop_token stop) {
  const auto source = open_pack(from_, pack, stop);
  if (!source.ok()) return lost_at_source(name, source.error().copy());
  const auto target = open_pack(to_, pack, stop);
  if (!target.ok() && tells_damage(target.error().kind()))
    return wrong_in_target(name, target.error().text());
  if (!target.ok()) return target.error().copy().context("reading the target's " + name);
  repo::PackFrames& copy = *target.value();
  if (copy.trailer().root != source.value()->trailer().root) return wrong_in_target(name, "another root");
  const FrameLosses losses = TRY_AS(find_losses(copy, stop), "reading the target's " + name);
  if (!losses.empty()) return wrong_in_target(name, losses.text());
  for (const std::string& note : copy.take_end_notes())
    findings_.warn("pack", name, "in the target: " + note);
  return Mirrored::same;
}

Result<Mirrored> ObjectMirror::compare(const std::string& name, std::stop_token stop) {
  if (const auto pack = repo::parse_pack_name(name)) return compare_pack(*pack, name, stop);
  auto source = read_small(from_, name, stop);
  if (!source.ok()) return lost_at_source(name, std::move(source).error());
  const Buffer target = TRY_AS(to_.get(name, {}, stop), "reading the target's " + name);
  if (target == source.value()) return Mirrored::same;
  const auto kind = vital_kind(name);
  const auto vital =
      kind ? repo::unwrap_vital(*kind, target, name) : Result<repo::Unwrapped>(repo::Unwrapped{});
  if (kind && vital.ok() && repo::wrap_vital(*kind, vital.value().body) == source.value()) {
    findings_.warn(kind_word(name), name, "in the target one of two copies inside is damaged");
    return Mirrored::same;
  }
  return wrong_in_target(name, "other bytes");
}

}  // namespace holdfast::flow
