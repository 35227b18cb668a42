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

// "2027-...  bmad-architect -> letta-dev  completed  (event ...)", and below it what more there is to say.
void AddHandoff(const workflow::v1::HandoffStatus& handoff, std::vector<std::string>& lines) {
  lines.push_back(StrCat(
      TextOf(handoff.requested_at()), "  ", handoff.from_agent(), " -> ", handoff.to_agent(), "  ",
      handoff.state(), handoff.paused() ? ", paused" : "", "  (event ", handoff.handoff_id(), ")"));
  const auto add = [&lines](const char* what, const std::string& text) {
    if (!text.empty()) lines.push_back(StrCat("  ", what, text));
  };
  add("task: ", handoff.task_description());
  add("reason: ", handoff.reason());
  add("detail: ", handoff.detail());
  add("session: ", handoff.session_id());
  add("checkpoint: ", handoff.checkpoint_id());
  add("progress: ", handoff.progress());
}

std::vector<std::string> QuestionLines(const workflow::v1::WorkflowStatus& status) {
  std::vector<std::string> lines;
  for (const workflow::v1::OpenQuestion& question : status.open_questions()) {
    lines.push_back(StrCat(TextOf(question.asked_at()), "  ", question.from_agent(), ": ",
                           question.question(), "  (event ", question.request_id(), ")"));
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

std::string StepForecast(const workflow::v1::WorkflowStep& step) {
  Details details;
  details.Add("event_type", step.event_type());
  details.AddLines("correlation_ids", LinesOf(step.correlation_ids()));
  details.AddLines("payload", JsonLines(step.payload().text()));
  return details.Render();
}

std::string StatusDetails(const workflow::v1::WorkflowStatus& status) {
  std::vector<std::string> handoffs;
  for (const workflow::v1::HandoffStatus& handoff : status.handoffs()) {
    AddHandoff(handoff, handoffs);
  }
  Details details;
  details.Add("workflow_id", status.workflow_id());
  details.Add("project_name", status.project_name());
  details.Add("current_phase", status.current_phase());
  details.Add("current_agent", status.has_current_agent() ? status.current_agent() : kNone);
  details.Add("started_at", TextOf(status.started_at()));
  details.Add("completed_at", status.has_completed_at() ? TextOf(status.completed_at()) : kNone);
  details.AddLines("handoffs", handoffs);
  details.AddLines("open_questions", QuestionLines(status));
  details.Add("position", StrCat(status.position()));
  return details.Render();
}

}  // namespace god33::cli
