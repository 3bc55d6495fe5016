#include "flow/pace.h"

namespace holdfast::flow {

namespace {

// Of the time since the leg began, walking may have been this part.
constexpr std::int64_t kWalkPart = 10;
// The first steps are timed, and then one in so many, which keeps the clock's cost below that of the walk; a
// prime, so that equal directories don't fall into step with it.
constexpr unsigned kTimedSteps = 100;
constexpr unsigned kStepsPerSample = 17;

}  // namespace

Pace::Pace(const Clock& clock, std::int64_t interval_ns)
    : clock_(clock),
      interval_ns_(interval_ns),
      began_ns_(interval_ns == 0 ? 0 : clock.ticks_ns()),
      since_ns_(began_ns_),
      now_ns_(began_ns_) {}

bool Pace::due() {
  if (interval_ns_ == 0) return false;
  now_ns_ = clock_.ticks_ns();
  return now_ns_ - since_ns_ >= interval_ns_ && now_ns_ - began_ns_ >= walked_ns_ * kWalkPart;
}

void Pace::walked() {
  if (interval_ns_ == 0) return;
  const unsigned stands_for = ++steps_ <= kTimedSteps ? 1 : kStepsPerSample;
  if (steps_ % stands_for == 0) walked_ns_ += (clock_.ticks_ns() - now_ns_) * stands_for;
}

void Pace::postpone() { since_ns_ = now_ns_; }

}  // namespace holdfast::flow
