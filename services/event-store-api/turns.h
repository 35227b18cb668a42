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
  // Over when it goes out of scope. Moved from, or never begun: nobody waits for it.
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
    Turn(Turns* turns, const Key& key, bool waited) : turns_(turns), key_(key), waited_(waited) {}

    Turns* turns_ = nullptr;
    Key key_{};
    bool waited_ = false;
  };

  // Waits while it is another's turn for this key, but no longer than `timeout`: then both go on.
  Turn Take(const Key& key, absl::Duration timeout) {
    absl::MutexLock lock(&mutex_);
    if (taken_.insert(key).second) return Turn(this, key, false);
    const auto is_free = [this, &key]()
                             ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return !taken_.contains(key); };
    const bool free = mutex_.AwaitWithTimeout(absl::Condition(&is_free), timeout);
    if (!free) return Turn(nullptr, key, true);
    taken_.insert(key);
    return Turn(this, key, true);
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
