#pragma once

#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace god33::api {

// Lets the first of several threads that want the same thing go ahead while the others wait for what it
// brings: many identical misses of a cache become one read. Thread-safe.
template <typename Key>
class Turns {
 public:
  // Over when it goes out of scope.
  class Turn {
   public:
    Turn() = default;
    Turn(Turn&& other) noexcept
        : turns_(std::exchange(other.turns_, nullptr)),
          key_(std::move(other.key_)),
          waited_(other.waited_) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn() {
      if (turns_ != nullptr) turns_->End(key_);
    }

    // Somebody else had his turn meanwhile.
    bool waited() const { return waited_; }

   private:
    friend class Turns;
    Turn(Turns* turns, const Key& key) : turns_(turns), key_(key) {}

    Turns* turns_ = nullptr;
    Key key_{};
    bool waited_ = false;
  };

  // At once when nobody else has it; otherwise waits until his is over, but no longer than `timeout`. Who has
  // waited has no turn of his own: whatever he found, he holds up nobody.
  Turn Take(const Key& key, absl::Duration timeout) {
    absl::MutexLock lock(&mutex_);
    if (taken_.insert(key).second) return Turn(this, key);
    const auto is_free = [this, &key]()
                             ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return !taken_.contains(key); };
    mutex_.AwaitWithTimeout(absl::Condition(&is_free), timeout);
    Turn turn;
    turn.waited_ = true;
    return turn;
  }

 private:
  void End(const Key& key) {
    absl::MutexLock lock(&mutex_);
    taken_.erase(key);
  }

  absl::Mutex mutex_;
  absl::flat_hash_set<Key> taken_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace god33::api
