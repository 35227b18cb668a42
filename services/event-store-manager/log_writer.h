#pragma once

#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "base/breaker.h"
#include "base/clock.h"
#include "pg/connection.h"
#include "rpc/health.h"
#include "services/event-store-manager/metrics.h"
#include "services/event-store-manager/recent_events.h"
#include "services/event-store-manager/submission.h"

namespace god33::manager {

// Stores submissions in the order they come in. One thread and one connection: while a batch
// commits, the next one gathers, so commits are grouped without anybody waiting for company.
//
// A fault of the database stores nothing and loses nothing: messages from the bus are kept and
// tried again, appends are answered UNAVAILABLE, and health says what it is until something was stored
// or, if nothing is there to be stored, there is room again. Content that makes storing fail is found by
// halving the batch and tried 3 times by itself; then it is a dead letter (store_failed) or the
// append's error, and its neighbours are stored. Messages that were delivered before are tried by
// themselves at once. A message that was stored lately is known from memory and costs the database nothing.
class LogWriter {
 public:
  struct Options {
    pg::Config database;
    std::size_t batch_events = 1000;
    std::size_t batch_bytes = 8 << 20;
    std::size_t most_queued_appends = 20'000;
    std::size_t most_queued_append_bytes = 256 << 20;
  };

  LogWriter(Options options, Clock& clock, Metrics& metrics, rpc::Health& health);

  // Stores what was submitted if the database is there, then stops.
  ~LogWriter();

  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // Takes a message from the bus. The caller heeds congested().
  void SubmitMessage(Submission submission);

  // Takes an append. RESOURCE_EXHAUSTED (BUSY) when too many wait, UNAVAILABLE (DATABASE_UNAVAILABLE,
  // DATABASE_FULL, STOPPING) while the database is away or full, or the writer stops; then `done` is
  // dropped untold.
  absl::Status SubmitAppend(Submission submission);

  // More waits than the next few batches can take: the bus should be held back.
  bool congested() const;

 private:
  using Batch = std::vector<Submission>;

  void Run();
  Batch TakeBatch();
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !queue_.empty() || closing_; }
  // Those that are queued.
  Batch TakeAppends() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Enqueue(Submission submission) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CountQueued() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  bool Store(Batch batch);
  void FinishRecent(Batch& batch);
  absl::Status EnsureConnected();
  absl::Status StoreRange(Submission* begin, Submission* end);
  absl::Status StoreOne(Submission& submission);
  absl::Status StoreRedelivered(Batch& batch);
  absl::Status TryStore(Submission* begin, Submission* end);
  bool FreeLog(const absl::Status& failure);
  void Finish(Submission& submission, sequence::Outcome outcome);
  bool WaitOutFault(Batch& batch, const absl::Status& fault);
  absl::Status TryRoom();
  void Serves();
  void Idle();
  void RefuseQueued();

  const Options options_;
  const pg::Config database_;
  Clock& clock_;
  Metrics& metrics_;
  rpc::Health& health_;
  CircuitBreaker breaker_;

  mutable absl::Mutex mutex_;
  std::deque<Submission> queue_ ABSL_GUARDED_BY(mutex_);
  std::size_t queued_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status refusal_ ABSL_GUARDED_BY(mutex_);  // what appends are told while the breaker is open

  // The writer's thread only.
  std::unique_ptr<pg::Connection> connection_;
  bool failed_storing_ = false;  // over a good connection: another one does not mean that it serves
  absl::flat_hash_set<std::string> known_types_;
  RecentEvents recent_{50'000};

  std::thread thread_;
};

}  // namespace god33::manager
