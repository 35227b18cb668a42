#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <deque>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "god33/store/v1/stream.pb.h"
#include "services/event-store-api/event_ring.h"
#include "services/event-store-api/stream_filter.h"
#include "services/event-store-api/stream_reader.h"

namespace god33::api {

class StreamHub;

// One caller of StreamEvents. Sends one frame at a time, so beyond that frame and, while it catches up,
// one page of the database it holds nothing of its own; whatever else it sends is shared by all streams.
//
// It moves on whenever something happens: a write is done, a page was read, the tail has got more. All
// methods may be called on any thread.
class EventStream final : public grpc::ServerWriteReactor<store::v1::StreamEventsResponse>,
                          public std::enable_shared_from_this<EventStream> {
 public:
  EventStream(StreamHub& hub, grpc::CallbackServerContext& context, StreamRequest request);

  // Begins, once: reads on the hub's executor how far the log is.
  void Begin();

  // The tail has got more.
  void Wake();

  // Sends a heartbeat that is due, cuts a reader off who does not read, tries a failed read again.
  void Tick(std::int64_t now_nanos);

  // Ends the stream; metadata says where to go on, except in another log.
  void End(absl::Status status);

  // Ends it if it follows another log.
  void EndUnlessOf(const Uuid& log_id);

  StreamOrder order() const { return request_.filter.order(); }

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  using Frame = store::v1::StreamEventsResponse;

  // On the executor.
  void Open();
  void CatchUp();

  absl::Status SetOut(const StreamState& state) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void MoveOn() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // What is left of the pages. True: a write was started.
  bool SendPage() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Reads the next page while this one is sent.
  void ReadAhead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool SendFrom(const StreamBatch& batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SendHeartbeat() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whether another frame follows as soon as this one is written.
  enum class Next { kAtOnce, kUnknown };
  void Send(std::shared_ptr<const Frame> frame, Next next = Next::kUnknown)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void StartReading(void (EventStream::*read)()) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Adapt(const StreamRead& read) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndLocked(absl::Status status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  StreamHub& hub_;
  const StreamRequest request_;
  std::atomic<bool> waiting_ = false;  // for the tail

  absl::Mutex mutex_;
  grpc::CallbackServerContext& context_;
  bool begun_ ABSL_GUARDED_BY(mutex_) = false;    // `subscribed` was sent
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;  // a read is on the executor
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;    // Finish was called
  bool done_ ABSL_GUARDED_BY(mutex_) = false;     // gRPC has let go of the call
  bool caught_up_ ABSL_GUARDED_BY(mutex_) = false;
  Uuid log_id_ ABSL_GUARDED_BY(mutex_);
  StreamPoint point_ ABSL_GUARDED_BY(mutex_);  // examined up to here
  std::int64_t missed_until_ ABSL_GUARDED_BY(mutex_) = 0;
  StreamBatch page_ ABSL_GUARDED_BY(mutex_);             // what is being sent; no end: none
  StreamBatch next_page_ ABSL_GUARDED_BY(mutex_);        // what follows it
  bool more_ ABSL_GUARDED_BY(mutex_) = false;            // behind the last page that was read
  std::int64_t most_positions_ ABSL_GUARDED_BY(mutex_);  // of the next page
  std::shared_ptr<const Frame> writing_ ABSL_GUARDED_BY(mutex_);
  std::int64_t written_at_ ABSL_GUARDED_BY(mutex_) = 0;  // when the last frame was given to gRPC
  std::int64_t ended_at_ ABSL_GUARDED_BY(mutex_) = 0;
  std::int64_t read_again_at_ ABSL_GUARDED_BY(mutex_) = 0;  // 0: no read has failed
};

}  // namespace god33::api
