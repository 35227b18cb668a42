#pragma once

#include "absl/time/time.h"

namespace god33 {

// Where time comes from. Injected wherever time matters, so that tests own it. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() = 0;
};

// The machine's wall clock.
class SystemClock final : public Clock {
 public:
  absl::Time Now() override;
};

// Nanoseconds of a clock that never goes back, for measuring how long something took.
std::int64_t MonotonicNanos();

}  // namespace god33
