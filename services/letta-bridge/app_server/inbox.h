#pragma once

#include <deque>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "services/letta-bridge/app_server/frame.h"

namespace god33::letta::app_server {

// The frames of one conversation, from the connection's thread to the conversation's owner. Bounded: an owner
// that takes none ends it with RESOURCE_EXHAUSTED. Thread-safe.
class Inbox {
 public:
  void Push(const Frame& frame);

  // No more come; what is there is still taken. The first reason counts.
  void Close(absl::Status why);

  // Ends a wait under way, or the next one.
  void Wake();

  // Whether Wake was called since.
  bool TakeWake();

  // The next frame; none when the time is over, or after Wake until TakeWake. The reason of Close when all are taken.
  absl::StatusOr<std::optional<Frame>> Take(absl::Duration timeout);

 private:
  bool something() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return !frames_.empty() || !closed_.ok() || woken_;
  }

  absl::Mutex mutex_;
  std::deque<Frame> frames_ ABSL_GUARDED_BY(mutex_);
  std::size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status closed_ ABSL_GUARDED_BY(mutex_);
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace god33::letta::app_server
