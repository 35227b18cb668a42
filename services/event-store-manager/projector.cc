#include "services/event-store-manager/projector.h"

#include <algorithm>
#include <utility>

#include "base/failpoint.h"
#include "services/event-store-manager/adoption.h"
#include "services/event-store-manager/fold_step.h"
#include "services/event-store-manager/projection_store.h"

namespace god33::manager {
namespace {

// Under load each state is written once for many events.
constexpr FoldBounds kBounds = {.positions = 4000, .items = 8000};

// A failpoint: states and cursor in a transaction each.
absl::Status CommitWithoutCursor(pg::Connection& connection) {
  absl::Status status = connection.Execute("COMMIT");
  failpoint::Reached("before_cursor");
  return status.ok() ? connection.Execute("BEGIN") : status;
}

}  // namespace

absl::StatusOr<bool> Projector::Step(pg::Connection& connection, eventlog::CursorLease& lease) {
  auto more = Follow(connection, lease);
  if (more.ok()) {
    if (absl::Status status = retention_.Look(connection); !status.ok()) more = std::move(status);
  }
  const auto more_jobs = more.ok() ? refold_.Slice(connection, lease) : more;
  if (!more_jobs.ok()) {
    // Perhaps somebody else goes on with it.
    refold_.Drop();
    return more_jobs;
  }
  return *more || *more_jobs;
}

absl::StatusOr<bool> Projector::Follow(pg::Connection& connection, eventlog::CursorLease& lease) {
  ProjectionStore store(connection);
  const auto head = store.Head();
  if (!head.ok()) return head.status();
  const std::int64_t end = std::min(*head, lease.position + kBounds.positions);
  if (end == lease.position) return RetryFrozen(connection, lease);

  const auto adopted = AdoptStep(connection, end);
  if (!adopted.ok()) return adopted.status();
  if (*adopted) {
    metrics_.adopted.Increment(**adopted);
    return true;
  }
  const auto filled = store.FillProjects(lease.position, end);
  if (!filled.ok()) return filled.status();
  if (*filled > 0) return true;

  auto transaction = pg::Transaction::Begin(connection);
  if (!transaction.ok()) return transaction.status();
  const auto progress =
      FoldStep(connection, {.position = lease.position, .within = lease.within}, end, kBounds);
  if (!progress.ok()) return progress.status();
  absl::Status status;
  if (progress->folded > 0 && failpoint::Reached("cursor_apart")) {
    status = CommitWithoutCursor(connection);
  }
  const FoldCursor& moved = progress->cursor;
  if (status.ok()) {
    status =
        eventlog::MoveCursor(connection, lease, moved.position, moved.within, Follower::kLease);
  }
  if (status.ok()) status = std::move(*transaction).Commit();
  if (!status.ok()) return status;
  lease.position = moved.position;
  lease.within = moved.within;
  metrics_.folded.Increment(static_cast<double>(progress->folded));
  metrics_.projection_position.Set(static_cast<double>(lease.position));
  return lease.position < *head;
}

// Folds what a frozen aggregate has missed, from the event that failed on.
absl::StatusOr<bool> Projector::RetryFrozen(pg::Connection& connection,
                                            const eventlog::CursorLease& lease) {
  ProjectionStore store(connection);
  const auto frozen = store.CountFrozen();
  if (!frozen.ok()) return frozen.status();
  metrics_.frozen_folds.Set(static_cast<double>(*frozen));
  if (*frozen == 0) return false;
  const auto due = store.NextRetry();
  if (!due.ok()) return due.status();
  if (!*due) return false;

  auto transaction = pg::Transaction::Begin(connection);
  if (!transaction.ok()) return transaction.status();
  // Of two that believe they are the projector, only one may thaw.
  absl::Status status =
      eventlog::MoveCursor(connection, lease, lease.position, lease.within, Follower::kLease);
  if (!status.ok()) return status;
  const auto thawed = ThawStep(connection, **due, lease.position);
  if (!thawed.ok()) return thawed.status();
  status = std::move(*transaction).Commit();
  if (!status.ok()) return status;
  return true;
}

}  // namespace god33::manager
