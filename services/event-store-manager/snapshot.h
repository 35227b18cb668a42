#pragma once

#include "absl/status/statusor.h"
#include "pg/connection.h"
#include "services/event-store-manager/projection_diff.h"

namespace god33::manager {

// Folds begin with the projections as they were at the log's horizon: what retention has dropped can't be folded
// again. These copy them into the twins, in the connection's transaction; where nothing was dropped there is
// nothing to copy.

// Some thousand rows more of all. False: those were the last ones.
absl::StatusOr<bool> SeedStep(pg::Connection& connection);

// The one row of `scope`.
absl::Status SeedOne(pg::Connection& connection, const ProjectionScope& scope);

}  // namespace god33::manager
