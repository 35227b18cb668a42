#pragma once

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"

namespace god33::testing {

// A clock that stands still until it is moved. Thread-safe.
class FakeClock final : public Clock {
 public:
  // Starts at 2026-01-27T10:00:00Z unless told otherwise.
  explicit FakeClock(absl::Time now = absl::FromUnixSeconds(1769508000)) : now_(now) {}

  absl::Time Now() override {
    absl::MutexLock lock(&mutex_);
    return now_;
  }

  // Goes forward, or back when `duration` is negative: machines' clocks do that.
  void Advance(absl::Duration duration) {
    absl::MutexLock lock(&mutex_);
    now_ += duration;
  }

  void Set(absl::Time now) {
    absl::MutexLock lock(&mutex_);
    now_ = now;
  }

 private:
  absl::Mutex mutex_;
  absl::Time now_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace god33::testing
