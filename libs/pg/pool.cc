#include "pg/pool.h"

#include <utility>

#include "base/error.h"

namespace god33::pg {

absl::StatusOr<Pool::Lease> Pool::Acquire(absl::Duration timeout) {
  {
    absl::MutexLock lock(&mutex_);
    if (!mutex_.AwaitWithTimeout(absl::Condition(this, &Pool::HasFreeSlot), timeout)) {
      return MakeError(absl::StatusCode::kResourceExhausted, "POOL_EXHAUSTED",
                       "all database connections are in use; try again");
    }
    --free_slots_;
    if (!idle_.empty()) {
      std::unique_ptr<Connection> connection = std::move(idle_.back());
      idle_.pop_back();
      return Lease(*this, std::move(connection));
    }
  }
  auto opened = Connection::Open(config_);
  if (opened.ok()) return Lease(*this, *std::move(opened));
  absl::MutexLock lock(&mutex_);
  ++free_slots_;
  return opened.status();
}

absl::StatusOr<Pool::Lease> Pool::AcquireAlive(absl::Duration timeout) {
  for (int attempt = 1;; ++attempt) {
    auto lease = Acquire(timeout);
    if (!lease.ok()) return lease;
    const absl::Status alive = (*lease)->Execute("SELECT 1");
    if (alive.ok()) return lease;
    // The dead one takes the other idle ones with it, so the next is new.
    if (!(*lease)->broken() || attempt == 2) return alive;
  }
}

void Pool::Return(std::unique_ptr<Connection> connection) {
  absl::MutexLock lock(&mutex_);
  ++free_slots_;
  if (connection->broken()) {
    // When one connection breaks the server has usually restarted: the idle ones are gone as well.
    idle_.clear();
  } else {
    idle_.push_back(std::move(connection));
  }
}

}  // namespace god33::pg
