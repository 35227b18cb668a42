#pragma once

#include <cstddef>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "services/gateway/exchange.h"
#include "services/gateway/live_metrics.h"
#include "services/gateway/upstreams.h"

namespace god33::gateway {

inline constexpr char kLivePath[] = "/api/v1/events/stream";

// GET /api/v1/events/stream: the log, live, as a WebSocket or as server-sent events. Its route is made by
// hand: google.api.http has no form for what streams. Thread-safe.
class Live {
 public:
  struct Options {
    std::size_t max_connections = 2'000;          // more are answered 503
    absl::Duration patience = absl::Seconds(10);  // with a store that is away
  };

  // Both must outlive it.
  Live(Upstreams& upstreams, LiveMetrics& metrics, Options options)
      : options_(options), upstreams_(upstreams), metrics_(metrics) {}

  ~Live() { AwaitIdle(); }

  // Answers, sooner or later; does not block.
  void Handle(std::shared_ptr<Exchange> exchange);

  // Waits until no client is left: soon after the HTTP server has stopped.
  void AwaitIdle();

 private:
  std::shared_ptr<void> TakeSlot();
  bool idle() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return connections_ == 0; }

  const Options options_;
  Upstreams& upstreams_;
  LiveMetrics& metrics_;
  absl::Mutex mutex_;
  std::size_t connections_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace god33::gateway
