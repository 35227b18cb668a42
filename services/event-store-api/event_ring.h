#pragma once

#include <deque>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "base/uuid.h"
#include "services/event-store-api/stream_entry.h"

namespace god33::api {

// The newest events of one order, shared by all streams. Bounded by count and bytes; whoever falls
// behind it reads the database. Thread-safe: one writer, many readers.
class EventRing {
 public:
  EventRing(std::size_t most_entries, std::size_t most_bytes)
      : most_entries_(most_entries), most_bytes_(most_bytes) {}

  // Drops everything: the next batch begins at `end`, in the log of this id.
  void Start(const Uuid& log_id, StreamPoint end);

  // The next batch: its `after` is the ring's end. Drops the oldest ones beyond the bounds.
  void Add(std::shared_ptr<const StreamBatch> batch);

  // Up to where the log was read, and of which log; before Start, the beginning of none.
  StreamPoint end() const;
  Uuid log_id() const;

  enum class Where {
    kInside,  // `batch` holds what follows
    kAtEnd,   // nothing follows yet; also for a log that is not the ring's
    kBehind,  // what follows has been dropped
  };
  struct Found {
    Where where = Where::kAtEnd;
    std::shared_ptr<const StreamBatch> batch;
  };

  // What follows `point`.
  Found After(const Uuid& log_id, StreamPoint point) const;

 private:
  const std::size_t most_entries_;
  const std::size_t most_bytes_;
  mutable absl::Mutex mutex_;
  std::deque<std::shared_ptr<const StreamBatch>> batches_ ABSL_GUARDED_BY(mutex_);
  Uuid log_id_ ABSL_GUARDED_BY(mutex_);
  StreamPoint begin_ ABSL_GUARDED_BY(mutex_);
  StreamPoint end_ ABSL_GUARDED_BY(mutex_);
  std::size_t entries_ ABSL_GUARDED_BY(mutex_) = 0;
  std::size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace god33::api
