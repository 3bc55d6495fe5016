#include "flow/pace.h"

namespace holdfast::flow {

namespace {

// Of the leg's time walking may have been one part in so many: where it is more, what a crash would lose is
// hardly worth the walk that a checkpoint costs.
constexpr std::int64_t kWalkPart = 4;
// And walking again what the last leg had walked one part in so many: legs grow as the walk does.
constexpr std::int64_t kAgainPart = 10;
// The first steps are timed, and then one in so many, which keeps the clock's cost below that of the walk; a
// prime, so that equal directories don't fall into step with it.
constexpr unsigned kTimedSteps = 100;
constexpr unsigned kStepsPerSample = 17;

}  // namespace

Pace::Pace(const Clock& clock, std::int64_t interval_ns, bool again)
    : clock_(clock),
      interval_ns_(interval_ns),
      began_ns_(interval_ns == 0 ? 0 : clock.ticks_ns()),
      since_ns_(began_ns_),
      now_ns_(began_ns_) {
  if (!again) again_ns_ = 0;
}

bool Pace::due() {
  if (interval_ns_ == 0) return false;
  now_ns_ = clock_.ticks_ns();
  const std::int64_t leg_ns = now_ns_ - began_ns_;
  return now_ns_ - since_ns_ >= interval_ns_ && leg_ns >= walked_ns_ * kWalkPart && again_ns_ &&
         leg_ns >= *again_ns_ * kAgainPart;
}

void Pace::walked() {
  if (interval_ns_ == 0) return;
  const unsigned stands_for = ++steps_ <= kTimedSteps ? 1 : kStepsPerSample;
  if (steps_ % stands_for == 0) walked_ns_ += (clock_.ticks_ns() - now_ns_) * stands_for;
}

void Pace::resumed() {
  if (!again_ns_) again_ns_ = now_ns_ - began_ns_;
}

}  // namespace holdfast::flow
