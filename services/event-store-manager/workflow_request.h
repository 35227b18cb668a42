#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/ids.h"
#include "event/envelope.h"
#include "god33/workflow/v1/workflow.pb.h"
#include "sequence/unit.h"
#include "wire/registry.h"
#include "workflow/next_step.h"

namespace god33::manager {

// A call of WorkflowService, checked as far as it can be without the log.
struct StepCall {
  workflow::StepRequest request;
  std::optional<Uuid> workflow;  // nullopt: a new one is started

  // The event's payload beside workflow_id, as names and JSON texts.
  std::vector<std::pair<std::string, std::string>> payload;

  event::v1::Source source;
  event::v1::AgentContext agent_context;
  std::string request_id;  // empty: none
  bool validate_only = false;
};

// INVALID_ARGUMENT names the request's field.
absl::StatusOr<Uuid> ReadWorkflowId(const std::string& text);
absl::StatusOr<StepCall> ReadCall(const workflow::v1::StartWorkflowRequest& request);
absl::StatusOr<StepCall> ReadCall(const workflow::v1::CompletePhaseRequest& request);
absl::StatusOr<StepCall> ReadCall(const workflow::v1::RequestHandoffRequest& request);
absl::StatusOr<StepCall> ReadCall(const workflow::v1::RequestValidationRequest& request);
absl::StatusOr<StepCall> ReadCall(const workflow::v1::CompleteWorkflowRequest& request);

// The event that the call appends. INVALID_ARGUMENT names the request's field, also when the payload would
// break its schema.
absl::StatusOr<sequence::NewEvent> MakeEvent(const StepCall& call, const Uuid& event_id,
                                             const Uuid& workflow, const std::vector<Uuid>& parents,
                                             const wire::PayloadRegistry& registry, Clock& clock);

}  // namespace god33::manager
