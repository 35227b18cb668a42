#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/uuid.h"
#include "pg/connection.h"

namespace god33::letta {

// The right to act for a task. Whoever takes it gets a new epoch; a holder that was stopped and woke up finds
// that his is not the newest, and changes nothing.
struct Lease {
  Uuid task_id;
  std::string holder;
  std::int64_t epoch = 0;
};

// Lasts so long unless it is renewed, by the database's clock.
inline constexpr absl::Duration kLeaseTime = absl::Seconds(10);
inline constexpr absl::Duration kLeaseRenewal = absl::Seconds(3);

// Takes the lease, in the connection's transaction, if nobody holds it. nullopt: somebody does.
absl::StatusOr<std::optional<Lease>> TakeLease(pg::Connection& connection, const Uuid& task_id,
                                               const std::string& holder);

// Fails with ABORTED (LEASE_LOST) unless the epoch is the newest; until the transaction ends nobody can take
// the lease.
absl::Status CheckLease(pg::Connection& connection, const Lease& lease);

// Whether somebody holds the task's lease now; in a transaction, nobody can take it until its end.
absl::StatusOr<bool> IsHeld(pg::Connection& connection, const Uuid& task_id);

// Prolongs the holder's leases of these tasks. Those that he still has. What he doesn't name runs out, such as one that
// he doesn't know he got.
absl::StatusOr<absl::flat_hash_set<Uuid>> RenewLeases(pg::Connection& connection,
                                                      const std::string& holder,
                                                      const std::vector<Uuid>& tasks);

// Gives it up at once.
absl::Status ReleaseLease(pg::Connection& connection, const Lease& lease);

}  // namespace god33::letta
