#include "tools/god33/workflow_steps.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "json/value.h"
#include "tools/god33/api_client.h"
#include "tools/god33/environment.h"
#include "tools/god33/input.h"
#include "tools/god33/new_event.h"
#include "tools/god33/text.h"
#include "tools/god33/time_spec.h"
#include "tools/god33/workflow_view.h"
#include "tools/god33/workflow_wait.h"
#include "wire/timestamp.h"

namespace god33::cli {
namespace {

namespace v1 = workflow::v1;

WorkflowClient ClientWith(absl::Duration timeout) {
  return WorkflowClient(EventStoreManager(), timeout);
}

template <typename Request>
void SetCommon(const StepOptions& options, Session& session, Request& request) {
  request.set_workflow_id(options.workflow);
  request.set_from_agent(options.from);
  for (const std::string& parent : options.parents) request.add_correlation_ids(parent);
  request.mutable_source()->set_host(HostName());
  // Every call has a name, so that it can be repeated when its answer is lost.
  request.set_request_id(options.request_id.empty() ? session.ids.New().ToString()
                                                    : options.request_id);
  request.set_validate_only(options.dry_run);
}

// Whether the step was taken is not known.
bool IsLost(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
}

// Asked again with the same arguments, a deadline that was counted from now would be another one.
std::string HowToSayAgain(const v1::RequestHandoffRequest& request) {
  std::string arguments = StrCat("--request-id ", request.request_id());
  if (request.has_deadline()) StrAppend(&arguments, " --deadline ", TextOf(request.deadline()));
  return arguments;
}

template <typename Request>
std::string HowToSayAgain(const Request& request) {
  return StrCat("--request-id ", request.request_id());
}

template <typename Request, typename Response>
absl::StatusOr<v1::WorkflowStep> Take(WorkflowClient::Method<Request, Response> method,
                                      const Request& request, absl::Duration timeout,
                                      Session& session) {
  auto answer = ClientWith(timeout).Call(method, request);
  if (!answer.ok()) {
    if (IsLost(answer.status()) && !request.validate_only()) {
      session.Note(
          StrCat("It may have been done. To say it again safely, add: ", HowToSayAgain(request)));
    }
    return answer.status();
  }
  if (answer->step().duplicate()) session.Note("This was said before; nothing was added.");
  return std::move(*answer->mutable_step());
}

absl::Status Print(const v1::WorkflowStep& step, bool dry_run, const std::string& id,
                   Session& session) {
  return PrintMessage(session.paper, step,
                      [&] { return dry_run ? StepForecast(step) : StrCat(id, "\n"); });
}

template <typename Request, typename Response>
absl::Status TakeAndPrint(WorkflowClient::Method<Request, Response> method, const Request& request,
                          Session& session) {
  const auto step = Take(method, request, session.options.timeout, session);
  if (!step.ok()) return step.status();
  return Print(*step, request.validate_only(), step->event_id(), session);
}

absl::StatusOr<v1::RequestHandoffRequest> MakeRequest(const HandoffOptions& options,
                                                      Session& session) {
  v1::RequestHandoffRequest request;
  SetCommon(options.step, session, request);
  request.set_to_agent(options.to);
  request.set_task_type(options.task_type);
  request.set_task_description(options.task);
  request.set_priority(options.priority);
  if (!options.context.empty()) {
    auto context = ReadTextArgument("--json", options.context, kMaxEventBytes);
    if (!context.ok()) return context.status();
    const auto value = json::Value::Parse(*context);
    if (!value.ok()) return InvalidField("--json", MessageOf(value.status()));
    request.mutable_context()->set_text(std::string(value->text()));
  }
  if (!options.deadline.empty()) {
    const auto deadline = ParseDeadline(options.deadline, session.clock.Now());
    if (!deadline.ok()) return InvalidField("--deadline", MessageOf(deadline.status()));
    // Whole microseconds, so that what is printed of it is exactly it.
    *request.mutable_deadline() =
        wire::ToProto(absl::FromUnixMicros(absl::ToUnixMicros(*deadline)));
  }
  return request;
}

absl::StatusOr<v1::WorkflowStatus> AskForStatus(const std::string& workflow, Session& session) {
  v1::GetWorkflowStatusRequest request;
  request.set_workflow_id(workflow);
  auto answer =
      ClientWith(session.options.timeout).Call(&WorkflowClient::Stub::GetWorkflowStatus, request);
  if (!answer.ok()) return answer.status();
  return std::move(*answer->mutable_status());
}

}  // namespace

absl::Status StartWorkflow(const StartOptions& options, Session& session) {
  v1::StartWorkflowRequest request;
  SetCommon(options.step, session, request);
  request.set_project_name(options.project);
  request.set_phase(options.phase);
  const auto step =
      Take(&WorkflowClient::Stub::StartWorkflow, request, session.options.timeout, session);
  if (!step.ok()) return step.status();
  return Print(*step, options.step.dry_run, step->workflow_id(), session);
}

absl::Status CompletePhase(const PhaseOptions& options, Session& session) {
  v1::CompletePhaseRequest request;
  SetCommon(options.step, session, request);
  request.set_phase(options.phase);
  request.set_next_phase(options.next);
  request.set_summary(options.summary);
  return TakeAndPrint(&WorkflowClient::Stub::CompletePhase, request, session);
}

absl::Status RequestHandoff(const HandoffOptions& options, Session& session) {
  const auto request = MakeRequest(options, session);
  if (!request.ok()) return request.status();
  const bool waits = options.wait;
  const auto step = Take(
      &WorkflowClient::Stub::RequestHandoff, *request,
      waits ? session.options.timeout : options.timeout.value_or(session.options.timeout), session);
  if (!step.ok()) return step.status();
  if (!waits) return Print(*step, options.step.dry_run, step->event_id(), session);
  return WaitForHandoff({.workflow = step->workflow_id(),
                         .handoff = step->event_id(),
                         .position = step->position(),
                         .timeout = options.timeout},
                        session);
}

absl::Status RequestValidation(const ValidateOptions& options, Session& session) {
  v1::RequestValidationRequest request;
  SetCommon(options.step, session, request);
  request.set_target_agent(options.agent);
  request.set_handoff_id(options.handoff);
  return TakeAndPrint(&WorkflowClient::Stub::RequestValidation, request, session);
}

absl::Status CompleteWorkflow(const CompleteOptions& options, Session& session) {
  v1::CompleteWorkflowRequest request;
  SetCommon(options.step, session, request);
  request.set_summary(options.summary);
  return TakeAndPrint(&WorkflowClient::Stub::CompleteWorkflow, request, session);
}

absl::Status WaitForWorkflow(const WaitOptions& options, Session& session) {
  const auto status = AskForStatus(options.workflow, session);
  if (!status.ok()) return status.status();
  const auto& handoffs = status->handoffs();
  const auto found = std::find_if(
      handoffs.rbegin(), handoffs.rend(), [&options](const v1::HandoffStatus& handoff) {
        return options.handoff.empty() || handoff.handoff_id() == options.handoff;
      });
  if (found == handoffs.rend()) {
    return MakeError(absl::StatusCode::kNotFound, "HANDOFF_NOT_FOUND",
                     options.handoff.empty()
                         ? std::string("nothing was handed over in this workflow")
                         : StrCat("this workflow has no hand-off ", options.handoff));
  }
  return WaitForHandoff({.workflow = options.workflow,
                         .handoff = found->handoff_id(),
                         .position = found->position(),
                         .timeout = options.timeout},
                        session);
}

absl::Status ShowWorkflowStatus(const std::string& workflow, Session& session) {
  const auto status = AskForStatus(workflow, session);
  if (!status.ok()) return status.status();
  return PrintMessage(session.paper, *status, [&] { return StatusDetails(*status); });
}

}  // namespace god33::cli
