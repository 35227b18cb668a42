#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "god33/letta/v1/letta_bridge.pb.h"
#include "pg/connection.h"

// Tasks and sessions, for the API. Read in one statement each; errors as LettaBridgeService says.

namespace god33::letta {

// What else decides why a task waits.
struct Surroundings {
  absl::Status letta;  // OK: it is available
  int agents_per_type = 10;
};

absl::Status ListTasks(pg::Connection& connection, const Surroundings& around,
                       const v1::ListTasksRequest& request, v1::ListTasksResponse& response);

// NOT_FOUND (TASK_UNKNOWN).
absl::Status ReadTask(pg::Connection& connection, const Surroundings& around, const Uuid& task_id,
                      v1::Task& task);

absl::Status ListSessions(pg::Connection& connection, const Surroundings& around,
                          const v1::ListLettaSessionsRequest& request,
                          v1::ListLettaSessionsResponse& response);

// By its id, or the newest one of a task by that one's. NOT_FOUND (SESSION_UNKNOWN).
absl::Status ReadSession(pg::Connection& connection, const Surroundings& around, const Uuid& id,
                         v1::LettaSession& session);

// The task that a session's id, or its own, stands for. NOT_FOUND (SESSION_UNKNOWN).
absl::StatusOr<Uuid> TaskNamed(pg::Connection& connection, const Uuid& id);

}  // namespace god33::letta
