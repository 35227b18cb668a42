#include "base/breaker.h"

#include <algorithm>

namespace god33 {

bool CircuitBreaker::Allow() {
  absl::MutexLock lock(&mutex_);
  if (state_ == State::kClosed) return true;
  if (state_ == State::kHalfOpen || clock_.Now() < open_until_) return false;
  state_ = State::kHalfOpen;
  return true;
}

absl::Duration CircuitBreaker::RetryAfter() {
  absl::MutexLock lock(&mutex_);
  if (state_ != State::kOpen) return absl::ZeroDuration();
  return std::max(absl::ZeroDuration(), open_until_ - clock_.Now());
}

void CircuitBreaker::Succeeded() {
  absl::MutexLock lock(&mutex_);
  state_ = State::kClosed;
  backoff_.Reset();
}

void CircuitBreaker::Failed() {
  absl::MutexLock lock(&mutex_);
  state_ = State::kOpen;
  open_until_ = clock_.Now() + backoff_.Next();
}

CircuitBreaker::State CircuitBreaker::state() {
  absl::MutexLock lock(&mutex_);
  return state_;
}

}  // namespace god33
