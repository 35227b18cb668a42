#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pg/connection.h"

namespace god33::eventlog {

// Whether a wait for a lock was given up (WriterSettings: after 2 s).
bool IsLockTimeout(const absl::Status& status);

// Ends the session that holds the sequencing lock, if it has been waiting for its own client for 2 s, and
// returns whether there was one. For those who have waited for the lock in vain: a session that is idle
// between statements is ended by its own time-out, but PostgreSQL knows none for a client that stops, or
// vanishes with its machine, in the middle of a pipeline or of reading an answer. What it had begun is
// rolled back. Only sessions of the caller's own login are seen.
absl::StatusOr<bool> EndStalledHolder(pg::Connection& connection);

}  // namespace god33::eventlog
