#pragma once

#include <functional>

#include "absl/status/status.h"
#include "base/ids.h"
#include "base/stop.h"
#include "pg/pool.h"
#include "reaction/event_factory.h"
#include "services/letta-bridge/lease.h"
#include "services/letta-bridge/task.h"
#include "services/letta-bridge/task_events.h"

namespace god33::letta {

// A task in the hands of this process. Each change is one transaction that proves the lease, folds and appends;
// when the database goes away in the middle of one, it is found out later whether it was committed. Used by one
// thread.
class HeldTask {
 public:
  // `stop` ends waits for the database.
  HeldTask(Lease lease, Task task, pg::Pool& pool, const reaction::EventFactory& factory,
           IdSource& ids, const Stop& stop)
      : lease_(std::move(lease)),
        task_(std::move(task)),
        pool_(pool),
        factory_(factory),
        ids_(ids),
        stop_(stop) {}

  const Lease& lease() const { return lease_; }
  const Task& task() const { return task_; }

  // Decides on events. `decide` may be called more than once; it may also change rows of its own through the
  // connection. ABORTED (LEASE_LOST): another bridge has the task. CANCELLED: a stop was requested.
  using Decide = std::function<absl::Status(pg::Connection& connection, TaskEvents& events)>;
  absl::Status Step(const Decide& decide);

  // Changes rows without events, which doing twice is harmless for.
  using Change = std::function<absl::Status(pg::Connection& connection)>;
  absl::Status Write(const Change& change);

 private:
  absl::Status Retry(const std::function<absl::Status()>& attempt);

  Lease lease_;
  Task task_;
  pg::Pool& pool_;
  const reaction::EventFactory& factory_;
  IdSource& ids_;
  const Stop& stop_;
};

}  // namespace god33::letta
