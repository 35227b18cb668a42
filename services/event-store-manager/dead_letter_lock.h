#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "pg/connection.h"

namespace god33::manager {

// Whoever works on a dead letter holds a lock on its id until the end of his transaction. It is no lock of
// the row: the outbox marks copies meanwhile.

// Waits until nobody else works on it; ABORTED (IN_USE) if that takes longer than a statement may.
absl::Status LockDeadLetter(pg::Connection& connection, std::int64_t id);

// Locks those that nobody else works on, and returns them.
absl::StatusOr<std::vector<std::int64_t>> TryLockDeadLetters(pg::Connection& connection,
                                                             const std::vector<std::int64_t>& ids);

}  // namespace god33::manager
