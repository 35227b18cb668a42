#include "services/event-store-api/event_ring.h"

#include <algorithm>
#include <utility>

namespace god33::api {

void EventRing::Start(const Uuid& log_id, StreamPoint end) {
  absl::MutexLock lock(&mutex_);
  batches_.clear();
  log_id_ = log_id;
  begin_ = end_ = end;
  entries_ = bytes_ = 0;
}

void EventRing::Add(std::shared_ptr<const StreamBatch> batch) {
  absl::MutexLock lock(&mutex_);
  end_ = batch->end;
  entries_ += batch->entries.size();
  bytes_ += batch->bytes;
  batches_.push_back(std::move(batch));
  while (batches_.size() > 1 && (entries_ > most_entries_ || bytes_ > most_bytes_)) {
    const StreamBatch& oldest = *batches_.front();
    entries_ -= oldest.entries.size();
    bytes_ -= oldest.bytes;
    begin_ = oldest.end;
    batches_.pop_front();
  }
}

StreamPoint EventRing::end() const {
  absl::ReaderMutexLock lock(&mutex_);
  return end_;
}

Uuid EventRing::log_id() const {
  absl::ReaderMutexLock lock(&mutex_);
  return log_id_;
}

EventRing::Found EventRing::After(const Uuid& log_id, StreamPoint point) const {
  absl::ReaderMutexLock lock(&mutex_);
  if (log_id != log_id_ || point >= end_) return {.where = Where::kAtEnd, .batch = nullptr};
  if (point < begin_) return {.where = Where::kBehind, .batch = nullptr};
  const auto found = std::upper_bound(
      batches_.begin(), batches_.end(), point,
      [](const StreamPoint& value, const auto& batch) { return value < batch->end; });
  return {.where = Where::kInside, .batch = *found};
}

}  // namespace god33::api
