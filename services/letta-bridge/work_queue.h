#pragma once

#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pg/connection.h"
#include "services/letta-bridge/agent_pool.h"
#include "services/letta-bridge/lease.h"
#include "services/letta-bridge/settings.h"
#include "services/letta-bridge/task.h"

// Which tasks are to be worked on, in PostgreSQL. Everything runs in the connection's transaction.

namespace god33::letta {

// Tasks that nobody holds and that something can be done for: that wait to be taken, are to be recovered, or were
// paused and can go on. The most urgent first: by priority, then by deadline, then as they came. At most `most`, and of
// those that wait none for the pools (ClaimResult::pool) that are exhausted.
absl::StatusOr<std::vector<Uuid>> FindWork(pg::Connection& connection, int most,
                                           const absl::flat_hash_set<std::string>& exhausted);

// A task that was taken, with the agent for it.
struct Claim {
  Lease lease;
  Task task;
  PooledAgent agent;

  // Its holder before gave no sign of life, instead of giving the lease up.
  bool holder_was_lost = false;
};

enum class NotClaimed {
  kGone,     // somebody else has it, or there is nothing to be done any more
  kLate,     // its deadline is over: to be rejected
  kUnknown,  // there is no agent with the id that it names: likewise
  kNoAgent,  // no agent of its type is free
};

// Takes a task and an agent for it.
struct ClaimResult {
  std::optional<Claim> claim;
  NotClaimed why = NotClaimed::kGone;
  std::optional<Task> rejected;  // locked
  std::string pool;              // that has no agent free: TYPE/PROJECT
};
absl::StatusOr<ClaimResult> ClaimTask(pg::Connection& connection, const Uuid& task_id,
                                      const std::string& holder, int agents_per_type,
                                      absl::Time now);

// Says why a task waits, for people; empty: it doesn't.
absl::Status NoteWait(pg::Connection& connection, const Uuid& task_id, std::string_view why);

// How many tasks there are in each open status.
struct OpenTasks {
  std::int64_t waiting = 0;
  std::int64_t active = 0;
  std::int64_t paused = 0;
  std::int64_t recovering = 0;
};
absl::StatusOr<OpenTasks> CountOpen(pg::Connection& connection);

}  // namespace god33::letta
