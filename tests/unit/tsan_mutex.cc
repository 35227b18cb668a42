// absl::Mutex made of what ThreadSanitizer knows. Debian's Abseil is built without it, so whatever its mutex
// orders would be reported as a race. A program that has this file uses these functions instead of the
// library's, throughout: the executable's own symbols come first. What is not here (absl::CondVar) must not
// be used with such a mutex.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <shared_mutex>

#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace {

struct Lock {
  std::shared_mutex mutex;
  std::condition_variable_any unlocked;
  int waiting = 0;  // for `unlocked`, guarded by `mutex`

  void Announce() {
    if (waiting > 0) unlocked.notify_all();
  }
};

// A mutex is one word, 0 to begin with. Here it is where the lock is, made when it is first used.
Lock& LockOf(std::atomic<std::intptr_t>& word) {
  std::intptr_t known = word.load(std::memory_order_acquire);
  if (known == 0) {
    auto* made = new Lock;
    if (word.compare_exchange_strong(known, reinterpret_cast<std::intptr_t>(made))) return *made;
    delete made;  // another thread was faster
  }
  return *reinterpret_cast<Lock*>(known);
}

}  // namespace

namespace absl {
ABSL_NAMESPACE_BEGIN

Mutex::~Mutex() {
  delete reinterpret_cast<::Lock*>(mu_.load());
}

void Mutex::Lock() {
  LockOf(mu_).mutex.lock();
}
bool Mutex::TryLock() {
  return LockOf(mu_).mutex.try_lock();
}
void Mutex::Unlock() {
  auto& lock = LockOf(mu_);
  lock.Announce();
  lock.mutex.unlock();
}

void Mutex::ReaderLock() {
  LockOf(mu_).mutex.lock_shared();
}
bool Mutex::ReaderTryLock() {
  return LockOf(mu_).mutex.try_lock_shared();
}
void Mutex::ReaderUnlock() {
  LockOf(mu_).mutex.unlock_shared();
}

// Who waits holds the lock alone, not as one of several readers.
bool Mutex::AwaitWithTimeout(const Condition& condition, Duration timeout) {
  auto& lock = LockOf(mu_);
  const auto end =
      std::chrono::steady_clock::now() + ToChronoMilliseconds(std::min(timeout, Hours(24)));
  lock.Announce();
  ++lock.waiting;
  const bool holds =
      lock.unlocked.wait_until(lock.mutex, end, [&condition] { return condition.Eval(); });
  --lock.waiting;
  return holds;
}

bool Mutex::AwaitWithDeadline(const Condition& condition, Time deadline) {
  return AwaitWithTimeout(condition, deadline - Now());
}

void Mutex::Await(const Condition& condition) {
  while (!AwaitWithTimeout(condition, InfiniteDuration())) {
  }
}

void Mutex::LockWhen(const Condition& condition) {
  Lock();
  Await(condition);
}

bool Mutex::LockWhenWithTimeout(const Condition& condition, Duration timeout) {
  Lock();
  return AwaitWithTimeout(condition, timeout);
}

bool Mutex::LockWhenWithDeadline(const Condition& condition, Time deadline) {
  return LockWhenWithTimeout(condition, deadline - Now());
}

void Mutex::AssertHeld() const {}
void Mutex::AssertReaderHeld() const {}

Notification::~Notification() {
  MutexLock lock(&mutex_);  // Notify may still be about to unlock it
}

void Notification::Notify() {
  MutexLock lock(&mutex_);
  notified_yet_.store(true, std::memory_order_release);
}

bool Notification::WaitForNotificationWithTimeout(Duration timeout) const {
  const auto notified = [this] { return HasBeenNotified(); };
  MutexLock lock(&mutex_);
  return mutex_.AwaitWithTimeout(Condition(&notified), timeout);
}

bool Notification::WaitForNotificationWithDeadline(Time deadline) const {
  return WaitForNotificationWithTimeout(deadline - Now());
}

void Notification::WaitForNotification() const {
  WaitForNotificationWithTimeout(InfiniteDuration());
}

BlockingCounter::BlockingCounter(int count) : count_(count), num_waiting_(0), done_(count == 0) {}

bool BlockingCounter::DecrementCount() {
  MutexLock lock(&lock_);
  done_ = --count_ == 0;
  return done_;
}

void BlockingCounter::Wait() {
  MutexLock lock(&lock_);
  lock_.Await(Condition(&done_));
}

ABSL_NAMESPACE_END
}  // namespace absl
