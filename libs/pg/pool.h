#pragma once

#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "pg/connection.h"

namespace god33::pg {

// At most `size` connections, opened as they are needed and reused. Thread-safe.
class Pool {
 public:
  Pool(Config config, std::size_t size) : config_(std::move(config)), free_slots_(size) {}

  // A connection on loan; it goes back when this goes out of scope, unless it broke.
  class Lease {
   public:
    Lease(Pool& pool, std::unique_ptr<Connection> connection)
        : pool_(&pool), connection_(std::move(connection)) {}
    ~Lease() {
      if (connection_) pool_->Return(std::move(connection_));
    }
    Lease(Lease&&) = default;
    Lease& operator=(Lease&&) = delete;

    Connection& operator*() { return *connection_; }
    Connection* operator->() { return connection_.get(); }

   private:
    Pool* pool_;
    std::unique_ptr<Connection> connection_;
  };

  // Waits for a free slot for at most `timeout`; RESOURCE_EXHAUSTED (POOL_EXHAUSTED) after that.
  // UNAVAILABLE if no connection can be had.
  absl::StatusOr<Lease> Acquire(absl::Duration timeout);

  // The same, for work that is better not begun twice: a connection that has answered just now. One that sat
  // idle through a restart of the server is dead, and says so only when it is used.
  absl::StatusOr<Lease> AcquireAlive(absl::Duration timeout);

 private:
  void Return(std::unique_ptr<Connection> connection);
  bool HasFreeSlot() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return free_slots_ > 0; }

  const Config config_;
  absl::Mutex mutex_;
  std::size_t free_slots_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<Connection>> idle_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace god33::pg
