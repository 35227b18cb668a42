#pragma once

#include <grpcpp/client_context.h>

#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/stop.h"

namespace god33::cli {

// Ends what is under way when the user has had enough: SIGINT (Ctrl-C) or SIGTERM. The same signal once
// more ends the process as it would have without this. Thread-safe.
class Interrupt {
 public:
  // Takes the signals from now on. To be called once in a process.
  static std::shared_ptr<Interrupt> Install();

  // The call that a signal cancels; nullptr: none.
  void Guard(grpc::ClientContext* call);

  bool requested() const { return stop_.requested(); }

  // Waits at most for `duration`. True if there was a signal.
  bool WaitFor(absl::Duration duration) const { return stop_.WaitFor(duration); }

 private:
  void Stop();

  god33::Stop stop_;
  absl::Mutex mutex_;
  grpc::ClientContext* call_ ABSL_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace god33::cli
