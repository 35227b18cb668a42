#pragma once

#include <grpcpp/alarm.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/backoff.h"
#include "god33/store/v1/stream.pb.h"
#include "services/gateway/exchange.h"
#include "services/gateway/live_client.h"
#include "services/gateway/upstreams.h"

namespace god33::gateway {

// Says when something happens too often: more than `most` times within a minute.
class PerMinute {
 public:
  explicit PerMinute(std::size_t most) : most_(most) {}
  bool TooOften(std::int64_t now_nanos);

 private:
  const std::size_t most_;
  std::deque<std::int64_t> times_;  // at most `most` + 1
};

// One client that follows the log: the store's frames go to it one by one, each after the one before is
// written, so a client that reads slowly slows its own stream down and costs no memory here. While the
// store is away the session tries to go on from the last position. Keeps itself alive until client
// and store have both let go. Thread-safe.
class LiveSession : public std::enable_shared_from_this<LiveSession> {
 public:
  struct Options {
    absl::Duration patience = absl::Seconds(10);  // with a store that is away
    bool can_subscribe = false;                   // the client can send frames
    std::shared_ptr<void> slot;                   // given back at the end
  };

  // `upstreams` must outlive it.
  LiveSession(std::shared_ptr<Exchange> exchange, std::unique_ptr<LiveClient> client,
              Upstreams& upstreams, Options options);

  // Accepts the client once the store has accepted the request, else answers with the store's error.
  void Start(const store::v1::StreamEventsRequest& request);

 private:
  void Open() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnMessage(int generation, const store::v1::StreamEventsResponse& response);
  void OnWritten(int generation);
  void OnDone(int generation, const grpc::Status& status);
  void OnClientMessage(const std::string& text);
  void OnGone();

  void Begin() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Lost(const absl::Status& error) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool TryAgainLater() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Subscribe(const store::v1::StreamEventsRequest& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Complain(const absl::Status& error) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SendText(std::string frame, const char* type) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void End(int code, const std::string& reason) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void LetGo() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;  // first: the slot goes last
  const std::shared_ptr<Exchange> exchange_;
  Upstreams& upstreams_;
  absl::Mutex mutex_;
  const std::unique_ptr<LiveClient> client_ ABSL_GUARDED_BY(mutex_);
  store::v1::StreamEventsRequest request_ ABSL_GUARDED_BY(mutex_);  // without `after`
  std::optional<std::int64_t> position_ ABSL_GUARDED_BY(mutex_);    // where to go on, with ...
  std::int64_t within_ ABSL_GUARDED_BY(mutex_) = 0;                 // ... this
  std::shared_ptr<UpstreamStream> upstream_ ABSL_GUARDED_BY(mutex_);
  int generation_ ABSL_GUARDED_BY(mutex_) = 0;  // of upstream_; what comes from others is ignored
  bool begun_ ABSL_GUARDED_BY(mutex_) = false;  // the client is accepted
  bool announced_ ABSL_GUARDED_BY(mutex_) = false;  // it knows that this subscription runs
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<std::int64_t> away_since_nanos_ ABSL_GUARDED_BY(mutex_);
  Backoff backoff_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<grpc::Alarm> retry_ ABSL_GUARDED_BY(mutex_);
  PerMinute complaints_ ABSL_GUARDED_BY(mutex_);
  PerMinute subscriptions_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace god33::gateway
