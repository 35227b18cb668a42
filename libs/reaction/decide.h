#pragma once

#include <functional>

#include "absl/status/statusor.h"
#include "pg/pool.h"
#include "sequence/unit.h"

namespace god33::reaction {

// Reads and changes a service's tables through the connection, inside a transaction, and returns the events that
// are decided on. The rules of Handler::React hold.
using Decision = std::function<absl::StatusOr<sequence::Unit>(pg::Connection& connection)>;

// A decision that no event has caused, e.g. of a call or of a timer: begins a transaction, asks `decide`, appends
// its events at the very end, so that the log is locked for a moment only, and commits. Returns where the events
// stand (nothing placed if there were none). `pool` must have DatabaseSettings.
//
// A try that lost against another transaction (serialization, deadlock, a lock that was not to be had in 2 s) is
// made anew, three times in all: so `decide` may be called more than once. Other errors come back as they are, and
// nothing was written: those of `decide`, those of sequence::Outcome (ABORTED VERSION_CONFLICT, ...), those of the
// database. After UNAVAILABLE from a lost connection nobody knows whether it was committed: ask the tables.
// Thread-safe.
absl::StatusOr<sequence::Outcome> Decide(pg::Pool& pool, const Decision& decide);

}  // namespace god33::reaction
