#pragma once

#include <deque>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"

namespace god33 {

// A fixed number of threads behind a bounded queue. When the queue is full, work is refused rather
// than piled up: the caller answers "busy" while it still can. Thread-safe.
class Executor {
 public:
  using Work = absl::AnyInvocable<void()>;

  Executor(std::size_t threads, std::size_t queue_limit);

  // Finishes what was accepted, then joins the threads.
  ~Executor();

  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  // False, and `work` is dropped unrun, when the queue is full or the executor is closing.
  [[nodiscard]] bool TrySubmit(Work work);

  std::size_t queued() const;

 private:
  void Run();
  bool HasWorkOrClosing() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return !queue_.empty() || closing_;
  }

  const std::size_t queue_limit_;
  mutable absl::Mutex mutex_;
  std::deque<Work> queue_ ABSL_GUARDED_BY(mutex_);
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace god33
