// FrameScan: one pack object, read once from front to back in windows of a few MiB, every frame compared with
// the pack's table. One thread at a time.
#pragma once

#include <functional>

#include "repo/pack_frames.h"

namespace holdfast::flow {

// One frame: its position in the object, whether it is as the table says. Positions from trailer().frames()
// are parity.
using VisitFrame = std::function<void(std::uint32_t position, Bytes frame, bool whole)>;
// Whose word it is whether a frame is whole: the table's; or, where that is lost altogether, the visitor's,
// who can open frames, and to whom then all are whole.
enum class Judge : std::uint8_t { table, visitor };
// Loads the table; reads the frames, and the header in front.
Result<void> scan_frames(repo::PackFrames& frames, Judge judge, const VisitFrame& visit,
                         std::stop_token stop);

// Which frames of a pack are lost, and whether parity can rebuild them.
class FrameLosses {
 public:
  explicit FrameLosses(const repo::Trailer& trailer) : trailer_(trailer) {}
  void add(std::uint32_t position) { lost_.push_back(position); }
  bool empty() const { return lost_.empty(); }
  // Whether every stripe has what it takes.
  bool repairable() const;
  // Those in stripes that lost more than parity can rebuild; parity frames among them.
  std::vector<std::uint32_t> beyond_parity() const;
  // "3 of 1040 frames are damaged (at 4, 17, 18): parity can rebuild them"
  std::string text() const;

 private:
  std::uint32_t stripe_of(std::uint32_t position) const;
  repo::Trailer trailer_;
  std::vector<std::uint32_t> lost_;
};

// What of the pack's frames is not as its table says.
Result<FrameLosses> find_losses(repo::PackFrames& frames, std::stop_token stop);

}  // namespace holdfast::flow
