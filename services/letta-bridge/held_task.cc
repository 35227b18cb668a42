#include "services/letta-bridge/held_task.h"

#include <optional>
#include <utility>

#include "base/backoff.h"
#include "base/error.h"
#include "eventlog/lookup.h"
#include "pg/error.h"
#include "reaction/decide.h"
#include "services/letta-bridge/task_store.h"

namespace god33::letta {

absl::Status HeldTask::Step(const Decide& decide) {
  // The first event of the last try, by which its commit can be told.
  std::optional<Uuid> tried;
  return Retry([&]() -> absl::Status {
    Task after;
    const auto decision = [&](pg::Connection& connection) -> absl::StatusOr<sequence::Unit> {
      if (absl::Status status = CheckLease(connection, lease_); !status.ok()) return status;
      auto task = LockTask(connection, lease_.task_id);
      if (!task.ok()) return task.status();
      if (tried) {
        const auto stored = eventlog::FindStored(connection, {*tried});
        if (!stored.ok()) return stored.status();
        if (stored->contains(*tried)) {
          after = *std::move(task);
          return sequence::Unit();
        }
      }
      TaskEvents events(*std::move(task), ids_);
      if (absl::Status status = decide(connection, events); !status.ok()) return status;
      auto unit = Record(connection, events, factory_);
      if (unit.ok() && !unit->events.empty()) tried = unit->events.front().envelope.id;
      after = events.task();
      return unit;
    };
    const auto outcome = reaction::Decide(pool_, decision);
    if (outcome.ok()) task_ = std::move(after);
    return outcome.status();
  });
}

absl::Status HeldTask::Write(const Change& change) {
  return Retry([&]() -> absl::Status {
    const auto decision = [&](pg::Connection& connection) -> absl::StatusOr<sequence::Unit> {
      if (absl::Status status = CheckLease(connection, lease_); !status.ok()) return status;
      if (absl::Status status = change(connection); !status.ok()) return status;
      return sequence::Unit();
    };
    return reaction::Decide(pool_, decision).status();
  });
}

// The lease lives in the same database: nobody can take it while that is away.
absl::Status HeldTask::Retry(const std::function<absl::Status()>& attempt) {
  Backoff backoff(absl::Milliseconds(100), absl::Seconds(2), RandomFraction);
  while (true) {
    absl::Status status = attempt();
    const bool again = pg::IsTransient(status) || ReasonOf(status) == "POOL_EXHAUSTED";
    if (status.ok() || !again) return status;
    if (stop_.WaitFor(backoff.Next())) return absl::CancelledError("the bridge stops");
  }
}

}  // namespace god33::letta
