#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "pg/connection.h"

namespace god33::eventlog {

// The right to move a cursor over the log, and where it stands.
struct CursorLease {
  std::string name;
  std::int64_t epoch = 0;
  std::int64_t position = 0;
  // How far inside the work of position + 1, where that is more than one step.
  std::int64_t within = 0;
};

// Takes the cursor `name` if nobody else holds it, or his lease has run out by the database's clock; its
// epoch grows when the holder changes. The lease lasts for `ttl`, which is the same for all who ask and move:
// one that has more than twice as long to go is from before the clock was set back, and has run out.
// nullopt: somebody else holds it. The cursor lives in the database of its log, so after a promotion or a
// restore both still agree.
absl::StatusOr<std::optional<CursorLease>> AcquireCursor(pg::Connection& connection,
                                                         const std::string& name,
                                                         const std::string& holder,
                                                         absl::Duration ttl);

// Moves the cursor (and `within`), in the connection's transaction if there is one, and prolongs the lease:
// it lasts for `ttl` from now. ABORTED (LEASE_LOST) when the epoch is not the newest any more: whoever was
// stopped and woke up moves nothing.
absl::Status MoveCursor(pg::Connection& connection, const CursorLease& lease, std::int64_t position,
                        std::int64_t within, absl::Duration ttl);

// Gives the cursor up at once, so that another holder needn't wait for the lease to run out.
absl::Status ReleaseCursor(pg::Connection& connection, const CursorLease& lease);

}  // namespace god33::eventlog
