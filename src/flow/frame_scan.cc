#include "flow/frame_scan.h"

#include <algorithm>

#include <fmt/core.h>

namespace holdfast::flow {

namespace {

// Long enough that a disk or a network reads at full speed, short enough for several threads in little
// memory.
constexpr std::uint64_t kWindowBytes = 4 * kMiB;

}  // namespace

Result<void> scan_frames(repo::PackFrames& frames, Judge judge, const VisitFrame& visit,
                         std::stop_token stop) {
  TRY(frames.check_front(stop));
  const auto loaded = frames.load_table(stop);
  if (!loaded.ok() && (judge == Judge::table || loaded.error().kind() != Errc::damaged))
    return loaded.error().copy();
  const std::size_t frame_bytes = frames.frame_bytes();
  const std::uint32_t all = frames.all_frames();
  const auto step = static_cast<std::uint32_t>(kWindowBytes / frame_bytes);
  for (std::uint32_t first = 0; first < all; first += step) {
    if (stop.stop_requested()) return Error(Errc::stopped, "stopped");
    const std::uint32_t count = std::min(step, all - first);
    const Buffer window = TRY(frames.stored(first, count, stop));
    for (std::uint32_t i = 0; i < count; ++i) {
      const Bytes frame = Bytes(window).subspan(i * frame_bytes, frame_bytes);
      visit(first + i, frame, !loaded.ok() || frames.whole(first + i, frame));
    }
  }
  return {};
}

std::uint32_t FrameLosses::stripe_of(std::uint32_t position) const {
  const bool is_parity = position >= trailer_.frames();
  return is_parity ? (position - trailer_.frames()) / trailer_.parity_per_stripe
                   : position % trailer_.stripes;
}

bool FrameLosses::repairable() const { return beyond_parity().empty(); }

std::vector<std::uint32_t> FrameLosses::beyond_parity() const {
  std::vector<std::uint32_t> losses(trailer_.stripes), out;
  for (const std::uint32_t position : lost_) ++losses[stripe_of(position)];
  for (const std::uint32_t position : lost_) {
    if (losses[stripe_of(position)] > trailer_.parity_per_stripe) out.push_back(position);
  }
  return out;
}

std::string FrameLosses::text() const {
  constexpr std::size_t kListed = 8;
  std::string at;
  for (std::size_t i = 0; i < std::min(lost_.size(), kListed); ++i) {
    at += (i == 0 ? "" : ", ") + std::to_string(lost_[i]);
  }
  if (lost_.size() > kListed) at += ", …";
  return fmt::format("{} of {} frames are damaged (at {}): {}", lost_.size(),
                     trailer_.frames() + trailer_.parity_frames(), at,
                     repairable() ? "rebuilt from parity" : "too many for parity to rebuild");
}

Result<FrameLosses> find_losses(repo::PackFrames& frames, std::stop_token stop) {
  FrameLosses losses(frames.trailer());
  const auto visit = [&](std::uint32_t position, Bytes, bool whole) {
    if (!whole) losses.add(position);
  };
  TRY(scan_frames(frames, Judge::table, visit, std::move(stop)));
  return losses;
}

}  // namespace holdfast::flow
