#include "tools/god33/workflow_view.h"

#include "base/strings.h"
#include "tools/god33/text.h"

namespace god33::cli {
namespace {

using store::v1::Workflow;
using store::v1::WorkflowHandoff;
using store::v1::WorkflowPhase;

constexpr char kNone[] = "-";

std::string StateOf(const Workflow& workflow) {
  if (workflow.has_frozen()) return "frozen";
  return workflow.has_completed_at() ? "completed" : "running";
}

Row WorkflowRow(const google::protobuf::Message& message) {
  const auto& workflow = static_cast<const Workflow&>(message);
  return {workflow.workflow_id(),
          StateOf(workflow),
          workflow.current_phase(),
          workflow.has_current_agent() ? workflow.current_agent() : kNone,
          TextOf(workflow.updated_at()),
          StrCat(workflow.version()),
          workflow.project_name()};
}

Row TimelineRow(const google::protobuf::Message& message) {
  const auto& entry = static_cast<const store::v1::TimelineEntry&>(message);
  return {StrCat(entry.position()), TextOf(entry.timestamp()), entry.event_type(),
          entry.agent().empty() ? kNone : entry.agent(), entry.summary()};
}

std::vector<std::string> PhaseLines(const Workflow& workflow) {
  std::vector<std::string> lines;
  for (const WorkflowPhase& phase : workflow.phase_history()) {
    lines.push_back(StrCat(phase.phase(), "  ", TextOf(phase.started_at()), "  ",
                           phase.has_completed_at() ? TextOf(phase.completed_at()) : "..."));
  }
  return lines;
}

std::vector<std::string> HandoffLines(const Workflow& workflow) {
  std::vector<std::string> lines;
  for (const WorkflowHandoff& handoff : workflow.agent_handoffs()) {
    lines.push_back(StrCat(TextOf(handoff.at()), "  ", handoff.from(), " -> ", handoff.to(),
                           handoff.has_accepted_at() ? "  accepted " : "  not accepted",
                           handoff.has_accepted_at() ? TextOf(handoff.accepted_at()) : "",
                           "  (event ", handoff.event_id(), ")"));
  }
  return lines;
}

}  // namespace

ListView WorkflowView() {
  return {.columns = {{"WORKFLOW ID"},
                      {"STATE"},
                      {"PHASE"},
                      {"AGENT"},
                      {"UPDATED"},
                      {"EVENTS", true},
                      {"PROJECT"}},
          .row = WorkflowRow};
}

ListView TimelineView() {
  return {.columns = {{"POSITION", true}, {"TIMESTAMP"}, {"TYPE"}, {"AGENT"}, {"SUMMARY"}},
          .row = TimelineRow};
}

std::string WorkflowDetails(const Workflow& workflow) {
  Details details;
  details.Add("workflow_id", workflow.workflow_id());
  details.Add("state", StateOf(workflow));
  details.Add("project_name", workflow.project_name());
  details.Add("current_phase", workflow.current_phase());
  details.Add("current_agent", workflow.has_current_agent() ? workflow.current_agent() : kNone);
  details.Add("started_at", workflow.has_started_at() ? TextOf(workflow.started_at()) : kNone);
  details.Add("updated_at", TextOf(workflow.updated_at()));
  details.Add("completed_at",
              workflow.has_completed_at() ? TextOf(workflow.completed_at()) : kNone);
  details.AddLines("phase_history", PhaseLines(workflow));
  details.AddLines("agent_handoffs", HandoffLines(workflow));
  details.Add("events", StrCat(workflow.version()));
  details.Add("position", StrCat(workflow.position()));
  if (workflow.has_frozen()) details.AddLines("frozen", JsonLines(workflow.frozen()));
  details.AddLines("metadata", JsonLines(workflow.metadata().text()));
  return details.Render();
}

}  // namespace god33::cli
