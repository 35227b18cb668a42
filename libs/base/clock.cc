#include "base/clock.h"

#include <chrono>

#include "absl/time/clock.h"

namespace god33 {

absl::Time SystemClock::Now() {
  return absl::Now();
}

std::int64_t MonotonicNanos() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace god33
