#include "services/letta-bridge/app_server/inbox.h"

#include <utility>

#include "base/error.h"

namespace god33::letta::app_server {
namespace {

// A model's answer comes as some thousands of small frames at most, and a frame has 16 MiB at most.
constexpr std::size_t kMostFrames = 50'000;
constexpr std::size_t kMostBytes = 64 << 20;

}  // namespace

void Inbox::Push(const Frame& frame) {
  absl::MutexLock lock(&mutex_);
  if (!closed_.ok()) return;
  if (frames_.size() == kMostFrames || bytes_ + frame.size() > kMostBytes) {
    frames_.clear();
    bytes_ = 0;
    closed_ = MakeError(absl::StatusCode::kResourceExhausted, "LETTA_TOO_SLOW",
                        "the conversation's events were not taken fast enough: attach it anew");
    return;
  }
  bytes_ += frame.size();
  frames_.push_back(frame);
}

void Inbox::Close(absl::Status why) {
  absl::MutexLock lock(&mutex_);
  if (closed_.ok()) closed_ = std::move(why);
}

void Inbox::Wake() {
  absl::MutexLock lock(&mutex_);
  woken_ = true;
}

bool Inbox::TakeWake() {
  absl::MutexLock lock(&mutex_);
  return std::exchange(woken_, false);
}

absl::StatusOr<std::optional<Frame>> Inbox::Take(absl::Duration timeout) {
  absl::MutexLock lock(&mutex_);
  mutex_.AwaitWithTimeout(absl::Condition(this, &Inbox::something), timeout);
  if (!frames_.empty()) {
    std::optional<Frame> frame(std::move(frames_.front()));
    frames_.pop_front();
    bytes_ -= frame->size();
    return frame;
  }
  if (!closed_.ok()) return closed_;
  return std::optional<Frame>();
}

}  // namespace god33::letta::app_server
