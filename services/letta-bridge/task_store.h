#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pg/connection.h"
#include "reaction/event_factory.h"
#include "sequence/unit.h"
#include "services/letta-bridge/backend.h"
#include "services/letta-bridge/task.h"
#include "services/letta-bridge/task_events.h"

// Tasks in PostgreSQL. Everything runs in the connection's transaction.

namespace god33::letta {

// NOT_FOUND (TASK_UNKNOWN) if there is none. The row is locked until the transaction ends.
absl::StatusOr<Task> LockTask(pg::Connection& connection, const Uuid& task_id);

// The task that has or had this session, likewise. NOT_FOUND (SESSION_UNKNOWN).
absl::StatusOr<Task> LockTaskOfSession(pg::Connection& connection, const Uuid& session_id);

// Writes what was decided: the task's state, its sessions, checkpoints and questions. Returns the events to
// append.
absl::StatusOr<sequence::Unit> Record(pg::Connection& connection, TaskEvents& events,
                                      const reaction::EventFactory& factory);

// Folds an event of another producer into a task and writes its state.
absl::Status Fold(pg::Connection& connection, const TaskEvent& event, Task& task);

// A new task, from its request. False: the same hand-off was taken before, under this key of its sender's.
absl::StatusOr<bool> InsertTask(pg::Connection& connection, const Task& task);

// ---- The memory of agents at checkpoints, each content once.

// Keeps it; its digest, by which it is found.
absl::StatusOr<std::string> KeepMemory(pg::Connection& connection,
                                       const std::vector<MemoryFile>& files);

// NOT_FOUND (CHECKPOINT_DROPPED) if it is kept no more.
absl::StatusOr<std::vector<MemoryFile>> ReadMemoryOf(pg::Connection& connection,
                                                     const std::string& digest);

}  // namespace god33::letta
