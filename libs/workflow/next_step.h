#pragma once

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "base/uuid.h"
#include "workflow/chain.h"
#include "workflow/handoffs.h"

namespace god33::workflow {

// What an orchestrator may do next.
enum class Step { kStart, kCompletePhase, kRequestHandoff, kRequestValidation, kComplete };

// The type of the event that says so.
const char* EventTypeOf(Step step);

struct StepRequest {
  Step step = Step::kStart;

  // Whose work is to be validated; nullopt: that of the newest hand-off.
  std::optional<Uuid> handoff;

  // The parents that the caller wants. nullopt: they are found.
  std::optional<std::vector<Uuid>> parents;
};

// The parents of the step's event, so that causation runs through the whole workflow (seed 001, pattern 1):
//   start        none
//   phase        the newest phase.completed, else started; and the newest validation.requested if that is later
//   hand-off     the same phase; and, if that is later, what the work before has come to: the newest
//                task.completed or validation.requested
//   validation   the task.completed of the hand-off, or, in a workflow without hand-offs, the newest
//   completion   the newest validation.requested, else task.completed, else phase.completed, else started; and
//                the newest phase.completed if that is later
// Errors:
//   NOT_FOUND (WORKFLOW_NOT_FOUND)                 the log has nothing of the workflow; not for start
//   ALREADY_EXISTS (WORKFLOW_ALREADY_STARTED)      start only
//   FAILED_PRECONDITION (WORKFLOW_COMPLETED)       it is completed
//   NOT_FOUND (HANDOFF_NOT_FOUND)                  `handoff` is none of this workflow
//   FAILED_PRECONDITION (HANDOFF_NOT_COMPLETED)    there is nothing to validate yet; not with `parents`
absl::StatusOr<std::vector<Uuid>> ParentsOf(const StepRequest& request, const Uuid& workflow,
                                            const Chain& chain, const Handoffs& handoffs);

}  // namespace god33::workflow
