#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pg/connection.h"
#include "services/letta-bridge/backend.h"
#include "services/letta-bridge/lease.h"

// The journal of tool calls that do something: the intent is written before, the result after, each only by the
// holder of the newest epoch. Everything runs in the connection's transaction.

namespace god33::letta {

struct JournalEntry {
  bool is_new = false;               // nobody has begun this call
  std::optional<ToolResult> result;  // of a call that was begun; nullopt: how it ended is unknown
};

// Writes the intent unless there is one.
absl::StatusOr<JournalEntry> BeginCall(pg::Connection& connection, const Lease& lease,
                                       const ToolCall& call);

absl::Status EndCall(pg::Connection& connection, const Lease& lease, const ToolCall& call,
                     const ToolResult& result);

}  // namespace god33::letta
