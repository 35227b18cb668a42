#pragma once

#include "services/event-store-manager/follower.h"
#include "services/event-store-manager/metrics.h"
#include "services/event-store-manager/refold.h"
#include "services/event-store-manager/retention.h"

namespace god33::manager {

// Keeps workflow_state and agent_sessions: follows the log by position and folds every event that
// belongs to a workflow or names a session, state and cursor in one transaction (DESIGN.md,
// decision 10). Before it passes a parent that came late, it lets the parent's descendants join
// (adoption.h). An aggregate whose fold fails is frozen, visibly, and tried again; the others go
// on. Storing events never waits for it.
//
// Rebuilding and verifying is done between its steps (refold.h): while there are events to fold, in
// slices as long as it takes to fold some; otherwise without a pause. So is retention (retention.h).
class Projector final : public FollowerWork {
 public:
  // `database` is for the connection that jobs on the projections work on; of the log, `retention_months`
  // complete months are kept (0: all).
  Projector(pg::Config database, Metrics& metrics, int retention_months = 0)
      : metrics_(metrics),
        retention_(retention_months, metrics),
        refold_(std::move(database), retention_months, metrics) {}

  absl::StatusOr<bool> Step(pg::Connection& connection, eventlog::CursorLease& lease) override;

 private:
  absl::StatusOr<bool> Follow(pg::Connection& connection, eventlog::CursorLease& lease);
  absl::StatusOr<bool> RetryFrozen(pg::Connection& connection, const eventlog::CursorLease& lease);

  Metrics& metrics_;
  Retention retention_;
  Refold refold_;
};

}  // namespace god33::manager
