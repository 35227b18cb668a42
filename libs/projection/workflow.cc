#include "projection/workflow.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "projection/limits.h"
#include "projection/payload.h"

namespace god33::projection {
namespace {

constexpr char kImplementation[] = "implementation";

bool IsHandoffRequest(const std::string& type) {
  return type == "bmad.workflow.handoff.requested" || type == "agent.handoff.requested";
}

WorkflowPhase* OpenPhase(WorkflowState& state, const std::string& phase) {
  for (auto entry = state.phase_history.rbegin(); entry != state.phase_history.rend(); ++entry) {
    if (entry->phase == phase && !entry->completed_at) return &*entry;
  }
  return nullptr;
}

void EnterPhase(WorkflowState& state, const std::string& phase, absl::Time at) {
  state.current_phase = phase;
  if (OpenPhase(state, phase) == nullptr &&
      state.phase_history.size() < WorkflowState::kMostListed) {
    state.phase_history.push_back({.phase = phase, .started_at = at});
  }
}

void CompletePhase(WorkflowState& state, const std::string& phase, absl::Time at) {
  if (WorkflowPhase* open = OpenPhase(state, phase)) {
    open->completed_at = at;
  } else if (state.phase_history.size() < WorkflowState::kMostListed) {
    state.phase_history.push_back({.phase = phase, .completed_at = at});
  }
}

void Involve(WorkflowState& state, const std::string& agent) {
  const bool countable = !agent.empty() && agent.size() <= kMostAgent;
  if (countable && state.agents.size() < WorkflowState::kMostListed) state.agents.insert(agent);
}

// An agent's type may be its name ("bmad-architect") or a mere kind ("letta"), which names nobody.
bool IsName(const std::string& agent_type) {
  return agent_type.find('-') != std::string::npos;
}

void FoldStarted(const FoldEvent& event, const Payload& payload, WorkflowState& state) {
  const std::string project = payload.Text("project_name");
  if (!project.empty()) state.project_name = project;
  state.started_at = event.time;
  state.started = true;
  // A start that comes late tells where the workflow began, not where it is.
  if (state.current_phase != "unknown") return;
  const std::string phase = payload.Text("phase");
  EnterPhase(state, phase.empty() ? "analysis" : phase, event.time);
}

void FoldPhaseCompleted(const FoldEvent& event, const Payload& payload, WorkflowState& state) {
  const std::string phase = payload.Text("phase");
  if (phase.empty()) return;
  CompletePhase(state, phase, event.time);
  const std::string next = payload.Text("next_phase");
  if (!next.empty()) {
    EnterPhase(state, next, event.time);
  } else if (!state.implementing && !state.completed_at) {
    // Without a next phase the workflow is where it has come to; a late word of an earlier phase does not
    // take it back from the implementation.
    state.current_phase = phase;
  }
}

void FoldHandoffRequest(const FoldEvent& event, const Payload& payload, WorkflowState& state) {
  WorkflowHandoff handoff{.from = std::string(Clip(payload.Text("from_agent"), kMostAgent)),
                          .to = std::string(Clip(payload.Text("to_agent"), kMostAgent)),
                          .at = event.time,
                          .event_id = event.id};
  Involve(state, handoff.from);
  Involve(state, handoff.to);
  state.handoffs.push_back(std::move(handoff));
  if (state.handoffs.size() > WorkflowState::kMostListed) state.handoffs.pop_front();
}

// Who took the hand-off over.
std::string AcceptedBy(const FoldEvent& event, const Payload& payload) {
  if (!event.handoff_to.empty()) return event.handoff_to;
  if (!event.agent_type.empty()) return event.agent_type;
  return payload.Text("agent_type");
}

void FoldHandoffAccepted(const FoldEvent& event, const Payload& payload, WorkflowState& state) {
  state.current_agent = AcceptedBy(event, payload);
  state.current_agent_instance = event.agent_instance;
  Involve(state, state.current_agent);
  for (WorkflowHandoff& handoff : state.handoffs) {
    if (std::find(event.parents.begin(), event.parents.end(), handoff.event_id) !=
        event.parents.end()) {
      handoff.accepted_at = event.time;
    }
  }
  if (!state.implementing && !state.completed_at) EnterPhase(state, kImplementation, event.time);
  state.implementing = true;
}

absl::Status CheckColumns(const FoldEvent& event, const Payload& payload) {
  absl::Status status;
  if (event.type == "bmad.workflow.started") {
    status = CheckFits("project_name", payload.Text("project_name"), kMostProject);
  }
  if (event.type == "bmad.workflow.started" || event.type == "bmad.workflow.phase.completed") {
    if (status.ok()) status = CheckFits("phase", payload.Text("phase"), kMostPhase);
    if (status.ok()) status = CheckFits("next_phase", payload.Text("next_phase"), kMostPhase);
  } else if (event.type == "agent.handoff.accepted") {
    status = CheckFits("current_agent", AcceptedBy(event, payload), kMostAgent);
  }
  return status;
}

}  // namespace

absl::Status Apply(const FoldEvent& event, WorkflowState& state) {
  const Payload payload(event.payload);
  if (absl::Status status = CheckColumns(event, payload); !status.ok()) return status;
  if (state.version == 0) {
    state.started_at = event.time;
    state.updated_at = event.time;
  }
  if (event.type == "bmad.workflow.started") {
    FoldStarted(event, payload, state);
  } else if (event.type == "bmad.workflow.phase.completed") {
    FoldPhaseCompleted(event, payload, state);
  } else if (event.type == "bmad.workflow.completed") {
    state.completed_at = event.time;
  } else if (event.type == "agent.handoff.accepted") {
    FoldHandoffAccepted(event, payload, state);
  } else if (IsHandoffRequest(event.type)) {
    FoldHandoffRequest(event, payload, state);
  }
  if (IsName(event.agent_type)) Involve(state, event.agent_type);
  state.updated_at = std::max(state.updated_at, event.time);
  state.events.push_back(event.id);
  if (state.events.size() > WorkflowState::kMostListed) state.events.pop_front();
  ++state.version;
  state.position = event.since;
  return absl::OkStatus();
}

}  // namespace god33::projection
