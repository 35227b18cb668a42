#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/stop.h"
#include "services/event-store-api/event_stream.h"
#include "services/event-store-api/log_tail.h"
#include "services/event-store-api/metrics.h"
#include "services/event-store-api/reader.h"

namespace god33::api {

// All live streams of the process: one tail of the log feeds them from memory, and a few readers of
// their own let those catch up that are behind it, so that queries are not held up. Thread-safe.
class StreamHub final : private TailListener {
 public:
  struct Options {
    Reader::Options database;  // `connections`: how many streams catch up at a time
    std::size_t most_streams = 2000;
    std::size_t most_events = 20'000;   // held in memory for each order
    std::size_t most_bytes = 64 << 20;  // likewise
    absl::Duration heartbeat = absl::Seconds(30);
    absl::Duration stall = absl::Seconds(30);  // how long a client may take nothing
  };

  // The tail also keeps `cache` fresh.
  StreamHub(const Options& options, Clock& clock, AnswerCache& cache, StreamMetrics& metrics);

  // No call may be open any more.
  ~StreamHub();

  using Reactor = grpc::ServerWriteReactor<store::v1::StreamEventsResponse>;

  // Begins a stream, or ends the call at once: with `admission` if that is an error, for a bad request,
  // with TOO_MANY_STREAMS, or because of Close.
  Reactor* Open(grpc::CallbackServerContext* context, const store::v1::StreamEventsRequest& request,
                absl::Status admission);

  // Ends all streams, tells them to go on at another replica, and takes no new ones. Idempotent.
  void Close();

  static absl::Status LogChanged();

  // For streams.
  bool Submit(Executor::Work work) { return executor_->TrySubmit(std::move(work)); }
  void Remove(EventStream& stream);
  Reader& reader() { return reader_; }
  const EventRing& ring(StreamOrder order) const { return rings_[static_cast<std::size_t>(order)]; }
  StreamMetrics& metrics() { return metrics_; }
  absl::Time Now() { return clock_.Now(); }
  std::int64_t stall_nanos() const { return absl::ToInt64Nanoseconds(options_.stall); }
  std::int64_t heartbeat_nanos() const { return absl::ToInt64Nanoseconds(options_.heartbeat); }

 private:
  bool Wants(StreamOrder order) override;
  void OnMore(StreamOrder order) override;
  void OnLog(const Uuid& log_id) override;

  absl::Status Add(std::shared_ptr<EventStream> stream);
  std::vector<std::shared_ptr<EventStream>> Streams() const;
  void RunTicks();

  const Options options_;
  Clock& clock_;
  StreamMetrics& metrics_;
  Reader reader_;
  std::array<EventRing, 2> rings_;
  std::array<std::atomic<int>, 2> followers_{};  // streams by order
  mutable absl::Mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  absl::flat_hash_map<EventStream*, std::shared_ptr<EventStream>> streams_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<Executor> executor_;
  Stop stop_;
  std::unique_ptr<LogTail> tail_;
  std::thread ticker_;
};

}  // namespace god33::api
