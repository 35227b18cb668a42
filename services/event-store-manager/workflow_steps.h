#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/ids.h"
#include "god33/workflow/v1/workflow.pb.h"
#include "pg/pool.h"
#include "services/event-store-manager/idempotency.h"
#include "services/event-store-manager/log_writer.h"
#include "services/event-store-manager/workflow_request.h"
#include "services/event-store-manager/workflow_store.h"
#include "wire/registry.h"

namespace god33::manager {

// Takes steps of workflows: finds an event's parents in the log and appends it, if no other step of the
// workflow came between; else looks again. Thread-safe; calls block, for the database and for the commit. Errors
// are those of god33.workflow.v1.WorkflowService.
class WorkflowSteps {
 public:
  // `readers` calls at a time read the log.
  WorkflowSteps(LogWriter& writer, const wire::PayloadRegistry& registry, Clock& clock,
                IdSource& ids, pg::Config database, std::size_t readers);

  // On behalf of `caller`. If the call has a request_id, `request` is all that it asks for: the same under
  // the same id is taken once.
  absl::StatusOr<workflow::v1::WorkflowStep> Take(const StepCall& call, const std::string& caller,
                                                  std::string_view request);

  absl::StatusOr<workflow::v1::WorkflowStatus> Status(const Uuid& workflow);

 private:
  // The ids of a call's event, and of the workflow it starts.
  struct Ids {
    Uuid event;
    Uuid workflow;
  };

  absl::StatusOr<Ids> IdsFor(const StepCall& call, const std::string& caller,
                             std::string_view request);

  // One try; ABORTED if another step came between.
  absl::StatusOr<workflow::v1::WorkflowStep> TryTake(const StepCall& call, const Ids& ids);
  absl::StatusOr<sequence::Outcome> Append(sequence::Unit unit);

  LogWriter& writer_;
  const wire::PayloadRegistry& registry_;
  Clock& clock_;
  IdSource& ids_;
  IdempotencyKeys keys_;
  pg::Pool pool_;
};

}  // namespace god33::manager
