#include "services/event-store-manager/workflow_status.h"

#include "wire/timestamp.h"
#include "workflow/handoffs.h"

namespace god33::manager {
namespace {

namespace v1 = workflow::v1;

void Tell(const workflow::Handoff& handoff, v1::HandoffStatus& status) {
  status.set_handoff_id(handoff.id.ToString());
  status.set_from_agent(handoff.from);
  status.set_to_agent(handoff.to);
  status.set_task_type(handoff.task_type);
  status.set_task_description(handoff.task);
  *status.mutable_requested_at() = wire::ToProto(handoff.requested_at);
  status.set_state(std::string(workflow::NameOf(handoff.state)));
  status.set_reason(handoff.reason);
  status.set_detail(handoff.detail);
  status.set_paused(handoff.paused);
  if (handoff.accepted_at) *status.mutable_accepted_at() = wire::ToProto(*handoff.accepted_at);
  if (handoff.ended_at) *status.mutable_ended_at() = wire::ToProto(*handoff.ended_at);
  if (handoff.session) status.set_session_id(handoff.session->ToString());
  if (!handoff.checkpoint.empty()) status.set_checkpoint_id(handoff.checkpoint);
  status.set_progress(handoff.progress);
  status.set_checkpoints(handoff.checkpoints);
  if (handoff.completed_by) status.set_completed_event_id(handoff.completed_by->ToString());
  status.set_position(handoff.position);
}

void Tell(const workflow::Question& question, v1::OpenQuestion& open) {
  open.set_request_id(question.id.ToString());
  if (question.handoff) open.set_handoff_id(question.handoff->ToString());
  if (question.session) open.set_session_id(question.session->ToString());
  open.set_from_agent(question.from);
  open.set_question(question.text);
  for (const std::string& option : question.options) open.add_options(option);
  open.set_default_(question.default_answer);
  open.set_deadline(question.deadline);
  *open.mutable_asked_at() = wire::ToProto(question.asked_at);
}

}  // namespace

v1::WorkflowStatus StatusOf(const WorkflowReading& reading) {
  const projection::WorkflowState& state = reading.state;
  const workflow::Handoffs handoffs(reading.chain);
  v1::WorkflowStatus status;
  status.set_workflow_id(state.id.ToString());
  status.set_project_name(state.project_name);
  status.set_current_phase(state.current_phase);
  if (!state.current_agent.empty()) status.set_current_agent(state.current_agent);
  *status.mutable_started_at() = wire::ToProto(state.started_at);
  if (state.completed_at) *status.mutable_completed_at() = wire::ToProto(*state.completed_at);
  for (const workflow::Handoff& handoff : handoffs.all()) Tell(handoff, *status.add_handoffs());
  for (const workflow::Question& question : handoffs.open_questions()) {
    Tell(question, *status.add_open_questions());
  }
  status.set_position(reading.position);
  return status;
}

}  // namespace god33::manager
