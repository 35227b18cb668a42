#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pg/connection.h"

// Which checkpoints are kept. Everything runs in the connection's transaction.

namespace god33::letta {

// What would go, or went.
struct DroppedCheckpoints {
  std::int64_t checkpoints = 0;
  std::int64_t memories = 0;
  std::int64_t bytes = 0;
};

// What DropOldCheckpoints would drop now.
absl::StatusOr<DroppedCheckpoints> PreviewDrop(pg::Connection& connection, int kept);

// Drops, of each task, all checkpoints but the newest `kept` and the first one, and of tasks that are over all but the
// first and the last; then memories that no checkpoint names any more. The events stay. `kept` 0: keeps all.
absl::Status DropOldCheckpoints(pg::Connection& connection, int kept);

}  // namespace god33::letta
