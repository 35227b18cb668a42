#pragma once

#include "absl/status/statusor.h"
#include "pg/connection.h"

namespace god33::manager {

// Parents may be stored after their children (DESIGN.md, decisions 8 and 9). When one has arrived,
// its children get their edges, and they and their descendants join the groups that come down
// through it.
//
// Does one bounded step of that for the oldest late parent whose position is at most `up_to`, in a
// transaction under the sequencing lock, so that no append inherits from what is about to change.
// The events join at the position of the late parent, or at their own if that is newer: a function
// of the log alone. Returns how many events joined, or nullopt when there is no such parent.
absl::StatusOr<std::optional<int>> AdoptStep(pg::Connection& connection, std::int64_t up_to);

}  // namespace god33::manager
