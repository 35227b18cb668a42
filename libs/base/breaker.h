#pragma once

#include <functional>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "base/backoff.h"
#include "base/clock.h"

namespace god33 {

// A circuit breaker. Closed, it lets every call through. A failure opens it: calls are refused
// until a wait (growing with each failure in a row) is over; then one call may probe (half open),
// and its outcome closes or opens it again. Thread-safe.
class CircuitBreaker {
 public:
  enum class State { kClosed, kOpen, kHalfOpen };

  CircuitBreaker(Clock& clock, Backoff backoff) : clock_(clock), backoff_(std::move(backoff)) {}

  // True if a call may be tried now. In kHalfOpen only one caller gets true until it reports back.
  bool Allow();

  // How long until a call may be tried; zero when it may be now.
  absl::Duration RetryAfter();

  void Succeeded();
  void Failed();

  State state();

 private:
  Clock& clock_;
  absl::Mutex mutex_;
  Backoff backoff_ ABSL_GUARDED_BY(mutex_);
  State state_ ABSL_GUARDED_BY(mutex_) = State::kClosed;
  absl::Time open_until_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace god33
