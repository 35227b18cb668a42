#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "base/backoff.h"
#include "eventlog/cursor.h"
#include "pg/connection.h"
#include "services/event-store-manager/metrics.h"
#include "services/event-store-manager/projection_diff.h"
#include "services/event-store-manager/projection_jobs.h"

namespace god33::manager {

// Carries out the job that runs on the projections, if there is one: folds the log from nothing into the
// twins of their tables (schema shadow), and when these stand where the live ones stand, compares both; a
// rebuild then lets them take each other's place. Where retention has dropped the log's first months, folding
// begins with the snapshot of that time. A job of the kind `snapshot` folds up to the end of the oldest month,
// and drops the month by the transaction that puts the twins in the place of the snapshot before.
//
// It is a part of the projector, on its thread and under its lease, so nothing live moves during a slice.
// It works on a connection of its own, which is open while it is needed. Every transaction of it is fenced
// by the lease's epoch and writes job and twins together: whoever holds the lease next goes on where it
// was. What goes wrong with a job is told in the job and keeps the live projections from nothing.
class Refold {
 public:
  // Drops no month that is among the `retention_months` complete ones to keep; 0: none.
  Refold(pg::Config database, int retention_months, Metrics& metrics);

  // Works on the job for about kSlice. `live` is the projector's connection, outside a transaction. True:
  // there may be more to do at once. Errors are those of `live`, and LEASE_LOST.
  static constexpr absl::Duration kSlice = absl::Milliseconds(100);
  absl::StatusOr<bool> Slice(pg::Connection& live, const eventlog::CursorLease& lease);

  // Closes its connection and forgets what it was about.
  void Drop();

 private:
  absl::StatusOr<bool> Work(pg::Connection& live, const eventlog::CursorLease& lease,
                            ProjectionJob& job);

  // One step, in a transaction of its own. False: nothing can be done now.
  absl::StatusOr<bool> Step(pg::Connection& live, const eventlog::CursorLease& lease,
                            ProjectionJob& job);
  absl::Status Begin(const eventlog::CursorLease& lease, ProjectionJob& job);
  absl::Status Seed(const eventlog::CursorLease& lease, ProjectionJob& job);
  absl::Status Fold(const eventlog::CursorLease& lease, std::int64_t up_to, ProjectionJob& job);
  absl::Status FoldOne(const eventlog::CursorLease& lease, ProjectionJob& job);
  absl::Status BeginComparing(const eventlog::CursorLease& lease, ProjectionJob& job);
  absl::StatusOr<bool> Compare(const eventlog::CursorLease& lease, ProjectionJob& job);
  absl::StatusOr<bool> StepSnapshot(const eventlog::CursorLease& lease, ProjectionJob& job);
  absl::StatusOr<bool> Swap(const eventlog::CursorLease& lease, ProjectionJob& job);
  absl::StatusOr<bool> DropMonth(const eventlog::CursorLease& lease, ProjectionJob& job);

  // Ends the job with what needs a moment without readers. nullopt: they were in the way; the job goes on later.
  struct Exchange {
    pg::Statement statement;
    const char* what;  // "swap"
  };
  absl::StatusOr<std::optional<std::int64_t>> Finish(const eventlog::CursorLease& lease,
                                                     const Exchange& exchange,
                                                     const pg::Params& params, ProjectionJob& job);

  absl::Status Ended(const absl::Status& status, pg::Connection& live, const ProjectionJob& job);
  absl::StatusOr<bool> Tidy(pg::Connection& live, const eventlog::CursorLease& lease);
  void PauseFor(absl::Duration pause);

  const pg::Config database_;
  const int retention_months_;
  Metrics& metrics_;
  std::unique_ptr<pg::Connection> connection_;
  std::optional<ProjectionDiff> diff_;  // over connection_
  std::optional<Uuid> job_;
  std::int64_t epoch_ = 0;
  std::int64_t not_before_ = 0;  // monotonic nanoseconds
  Backoff swap_backoff_;
  bool tidy_ = false;  // the twins are empty
};

}  // namespace god33::manager
