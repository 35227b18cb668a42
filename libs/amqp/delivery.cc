#include "amqp/delivery.h"

namespace god33::amqp {

void AckLedger::Add(std::uint64_t tag, std::size_t bytes) {
  absl::MutexLock lock(&mutex_);
  if (entries_.empty()) first_tag_ = tag;
  entries_.push_back({bytes, false});
  bytes_ += bytes;
}

std::optional<std::uint64_t> AckLedger::TakeDone() {
  absl::MutexLock lock(&mutex_);
  std::optional<std::uint64_t> newest;
  while (!entries_.empty() && entries_.front().done) {
    bytes_ -= entries_.front().bytes;
    entries_.pop_front();
    newest = first_tag_++;
  }
  return newest;
}

void AckLedger::Done(std::uint64_t tag) {
  {
    absl::MutexLock lock(&mutex_);
    entries_[tag - first_tag_].done = true;
    if (tag != first_tag_) return;  // others will be told with the one in front of them
  }
  wakeup_->Signal();
}

std::size_t AckLedger::bytes() const {
  absl::MutexLock lock(&mutex_);
  return bytes_;
}

std::size_t AckLedger::count() const {
  absl::MutexLock lock(&mutex_);
  return entries_.size();
}

}  // namespace god33::amqp
