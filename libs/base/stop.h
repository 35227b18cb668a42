#pragma once

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace god33 {

// Tells threads to finish, and lets them wait without missing it. The only way to sleep in this
// project: a wait that a stop can't end would delay every shutdown. Thread-safe.
class Stop {
 public:
  // Once requested, it stays requested.
  void Request() {
    absl::MutexLock lock(&mutex_);
    requested_ = true;
  }

  bool requested() const {
    absl::MutexLock lock(&mutex_);
    return requested_;
  }

  // Waits until a stop is requested, at most for `duration`. True if it is.
  bool WaitFor(absl::Duration duration) const {
    absl::MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout(absl::Condition(&requested_), duration);
  }

 private:
  mutable absl::Mutex mutex_;
  bool requested_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace god33
