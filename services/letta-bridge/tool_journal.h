#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pg/connection.h"
#include "services/letta-bridge/backend.h"
#include "services/letta-bridge/lease.h"

// The journal of tool calls that do something: the intent is written before, the result after, each only by the
// holder of the newest epoch. An agent that goes on from a checkpoint knows nothing of the calls after it, and makes
// them again under new ids: they are lost until it does, and then are the same call. Everything runs in the
// connection's transaction.

namespace god33::letta {

struct JournalEntry {
  bool is_new = false;               // nobody has begun this call
  std::optional<ToolResult> result;  // of a call that was begun; nullopt: how it ended is unknown
};

// Writes the intent unless there is one: of this call, or, unless the tool is `idempotent`, of a lost one of the same
// tool with the same arguments, which is found once. `checkpoint`: the sequence of the task's newest one; 0: none.
absl::StatusOr<JournalEntry> BeginCall(pg::Connection& connection, const Lease& lease,
                                       const ToolCall& call, std::int64_t checkpoint,
                                       bool idempotent);

absl::Status EndCall(pg::Connection& connection, const Lease& lease, const ToolCall& call,
                     const ToolResult& result);

// A call that its agent doesn't know of.
struct LostCall {
  std::string tool;
  std::string arguments;              // JSON object
  std::optional<std::string> result;  // nullopt: how it ended is unknown
};

// The agent goes on from the task's checkpoint with this sequence (0: from nothing): all calls since then are lost. All
// that are, the oldest first.
absl::StatusOr<std::vector<LostCall>> LoseCalls(pg::Connection& connection, const Uuid& task_id,
                                                std::int64_t checkpoint);

}  // namespace god33::letta
