#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/uuid.h"
#include "pg/connection.h"
#include "services/letta-bridge/backend.h"

// The agents that the bridge has made at Letta, in PostgreSQL: which are free, and who works on what. An agent
// works on one task at a time. Everything runs in the connection's transaction.

namespace god33::letta {

struct PooledAgent {
  std::string agent_id;     // Letta's; empty: it is yet to be made
  std::string instance_id;  // letta-python-dev-001
  std::string agent_type;   // letta-python-dev
  std::string project;
  bool own = false;  // made by a caller

  // A bridge that was lost may still write to its memory: no other task gets it.
  bool suspect = false;
};

// Takes a free agent of the type for a task: one of the project's that is warm, or else a new one, to be made
// (then KeepAgent or DropAgent), unless the project has `most` of the type already. nullopt: none is free.
absl::StatusOr<std::optional<PooledAgent>> TakeAgent(pg::Connection& connection,
                                                     const std::string& agent_type,
                                                     const std::string& project, int most,
                                                     const Uuid& task_id);

// Takes this one, made by a caller. NOT_FOUND (AGENT_UNKNOWN); nullopt: it works on another task.
absl::StatusOr<std::optional<PooledAgent>> TakeOwnAgent(pg::Connection& connection,
                                                        const std::string& agent_id,
                                                        const Uuid& task_id);

// The one that works on the task; nullopt: none does.
absl::StatusOr<std::optional<PooledAgent>> AgentOfTask(pg::Connection& connection,
                                                       const Uuid& task_id);

// Names the next agent of a type: letta-python-dev-007.
absl::StatusOr<std::string> NextInstance(pg::Connection& connection, const std::string& agent_type);

// A caller's agent, made just now.
absl::Status InsertOwnAgent(pg::Connection& connection, const PooledAgent& agent,
                            const std::string& spec_json);

// The new agent is made: it has this id.
absl::Status KeepAgent(pg::Connection& connection, const PooledAgent& agent,
                       const std::string& agent_id, const std::string& spec_json);

// It could not be made, or Letta knows it no more.
absl::Status DropAgent(pg::Connection& connection, const std::string& instance_id);

// The holder of its task was lost.
absl::Status SuspectAgent(pg::Connection& connection, const Uuid& task_id);

// The task is over. The agent's memory is still that of the task: `returned` until it was reset (MakeWarm); a suspect
// one is gone, and so is one that was never made.
absl::Status ReturnAgent(pg::Connection& connection, const Uuid& task_id);
absl::Status MakeWarm(pg::Connection& connection, const std::string& agent_id);

// Agents that were returned at least `ago` ago and not reset: whoever should have has gone. At most 10; nobody else is
// told of them for as long again.
absl::StatusOr<std::vector<PooledAgent>> ForgottenAgents(pg::Connection& connection,
                                                         absl::Duration ago);

}  // namespace god33::letta
