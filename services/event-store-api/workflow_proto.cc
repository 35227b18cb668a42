#include "services/event-store-api/workflow_proto.h"

#include "wire/proto.h"

namespace god33::api {

void ToProto(const projection::WorkflowState& state, store::v1::Workflow& workflow) {
  workflow.set_workflow_id(state.id.ToString());
  workflow.set_project_name(state.project_name);
  workflow.set_current_phase(state.current_phase);
  if (!state.current_agent.empty()) workflow.set_current_agent(state.current_agent);
  *workflow.mutable_started_at() = wire::ToProto(state.started_at);
  *workflow.mutable_updated_at() = wire::ToProto(state.updated_at);
  if (state.completed_at) *workflow.mutable_completed_at() = wire::ToProto(*state.completed_at);
  for (const projection::WorkflowPhase& phase : state.phase_history) {
    store::v1::WorkflowPhase& entry = *workflow.add_phase_history();
    entry.set_phase(phase.phase);
    if (phase.started_at) *entry.mutable_started_at() = wire::ToProto(*phase.started_at);
    if (phase.completed_at) *entry.mutable_completed_at() = wire::ToProto(*phase.completed_at);
  }
  for (const projection::WorkflowHandoff& handoff : state.handoffs) {
    store::v1::WorkflowHandoff& entry = *workflow.add_agent_handoffs();
    entry.set_from(handoff.from);
    entry.set_to(handoff.to);
    *entry.mutable_at() = wire::ToProto(handoff.at);
    if (handoff.accepted_at) *entry.mutable_accepted_at() = wire::ToProto(*handoff.accepted_at);
    entry.set_event_id(handoff.event_id.ToString());
  }
  for (const Uuid& id : state.events) workflow.add_correlation_ids(id.ToString());
  workflow.mutable_metadata()->set_text(projection::MetadataJson(state));
  workflow.set_version(state.version);
  workflow.set_position(state.position);
}

}  // namespace god33::api
