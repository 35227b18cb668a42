#pragma once

#include <functional>
#include <thread>

#include "base/stop.h"
#include "base/wakeup.h"
#include "services/event-store-api/cache_follower.h"
#include "services/event-store-api/event_ring.h"
#include "services/event-store-api/metrics.h"
#include "services/event-store-api/stream_reader.h"

namespace god33::api {

// Who listens to the tail. Called on its thread.
class TailListener {
 public:
  virtual ~TailListener() = default;

  // Whether anybody follows this order; if not, its ring is not filled.
  virtual bool Wants(StreamOrder order) = 0;

  // The order's ring has got more.
  virtual void OnMore(StreamOrder order) = 0;

  // This is the log now; streams of another one have come to their end.
  virtual void OnLog(const Uuid& log_id) = 0;
};

// Follows the end of the log for all streams of the process and for its cache, on a thread and a
// connection of its own: woken by the log's notifications, with a poll each second behind them, with a
// cache four times a second and more often while the projector is at work. Fills one ring per order. Where
// there are no notifications (a standby) it polls ten times a second. While the database is away
// it tries again and again; afterwards it goes on where it was.
class LogTail {
 public:
  LogTail(pg::Config database, EventRing& log, EventRing& settled, TailListener& listener,
          AnswerCache& cache, StreamMetrics& metrics);
  ~LogTail();

  LogTail(const LogTail&) = delete;
  LogTail& operator=(const LogTail&) = delete;

 private:
  void Run();
  absl::Status Follow(pg::Connection& connection);
  // Where the log is now; tells the cache.
  absl::StatusOr<StreamState> Look(pg::Connection& connection);
  // True: there may be more at once.
  absl::StatusOr<bool> Step(pg::Connection& connection, const StreamState& state,
                            StreamOrder order);
  absl::Duration Poll(bool standby) const;
  void Forget(std::int64_t horizon);
  void Skip(EventRing& ring, StreamOrder order, const StreamState& state);

  const pg::Config database_;
  EventRing& log_;
  EventRing& settled_;
  TailListener& listener_;
  AnswerCache& cache_;
  CacheFollower cache_follower_;
  StreamMetrics& metrics_;
  std::int64_t horizon_ = 0;  // at the last look; 0: the log was empty, or never looked
  Stop stop_;
  Wakeup wakeup_;
  std::thread thread_;
};

}  // namespace god33::api
