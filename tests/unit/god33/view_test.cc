#include <catch2/catch.hpp>

#include "tools/god33/agent_view.h"
#include "tools/god33/dlq_view.h"
#include "tools/god33/event_view.h"
#include "tools/god33/workflow_view.h"
#include "unit/god33/answers.h"

namespace god33::cli {
namespace {

bool IsSafe(const std::string& text) {
  return text.find('\x1b') == std::string::npos && text.find("\u202E") == std::string::npos &&
         text.find('\r') == std::string::npos;
}

constexpr char kHostile[] = "\x1b[2J\u202E\r\nforged";

TEST_CASE("an event's agent is what --agent compares with") {
  auto event = MakeEvent(1);
  event.mutable_payload()->set_text(R"({"from_agent":"bmad","agent_id":"a-7"})");
  CHECK(EventView().row(event).back() == "a-7");
  event.mutable_agent_context()->set_instance_id("i-1");
  CHECK(EventView().row(event).back() == "i-1");
}

TEST_CASE("an event's details have its payload digit for digit") {
  const std::string details = EventDetails(MakeEvent(1));
  CHECK(details.find("\"n\": 123456789012345678901234567890,") != std::string::npos);
  CHECK(details.find("event_type   agent.task\n") != std::string::npos);
}

TEST_CASE("a hostile event can't reach the terminal through its details") {
  auto event = MakeEvent(1);
  event.set_version(kHostile);
  event.mutable_source()->set_host(kHostile);
  event.mutable_agent_context()->set_name(kHostile);
  event.add_payload_errors(kHostile);
  event.add_correlation_ids(kHostile);
  CHECK(IsSafe(EventDetails(event)));
  CHECK(EventDetails(event).find("\nforged") == std::string::npos);
}

store::v1::DeadLetter MakeDeadLetter() {
  store::v1::DeadLetter letter;
  letter.set_dead_letter_id(17);
  letter.mutable_recorded_at()->set_seconds(1769508000);
  letter.set_reason("unreadable");
  letter.set_detail("why");
  letter.set_routing_key("a.b");
  letter.mutable_properties()->set_text("{}");
  letter.set_state("open");
  letter.set_body("hello");
  letter.set_body_size(5);
  return letter;
}

TEST_CASE("a dead letter's row has its type, or its routing key without one") {
  auto letter = MakeDeadLetter();
  CHECK(DeadLetterView().row(letter) ==
        Row{"17", "2026-01-27T10:00:00Z", "open", "unreadable", "a.b", "5", "why"});
  letter.set_event_type("agent.task");
  CHECK(DeadLetterView().row(letter)[4] == "agent.task");
}

TEST_CASE("a dead letter's details show text and JSON, and never bytes") {
  const auto has = [](const store::v1::DeadLetter& letter, std::string_view part) {
    return DeadLetterDetails(letter).find(part) != std::string::npos;
  };
  auto letter = MakeDeadLetter();
  CHECK(has(letter, "hello"));
  letter.set_body("\xff\x1b[31m");
  CHECK(has(letter, "--raw"));
  CHECK_FALSE(has(letter, "\x1b"));
  letter.set_body(kHostile);
  letter.set_detail(kHostile);
  letter.set_routing_key(kHostile);
  CHECK(IsSafe(DeadLetterDetails(letter)));
  letter.mutable_decoded()->set_text("{\"n\":12345678901234567890}");
  CHECK(has(letter, "12345678901234567890"));
}

store::v1::Workflow MakeWorkflow() {
  store::v1::Workflow workflow;
  workflow.set_workflow_id("0199a000-0000-7000-8000-000000000001");
  workflow.set_project_name("hammerspace");
  workflow.set_current_phase("analysis");
  workflow.mutable_updated_at()->set_seconds(1769508000);
  workflow.set_version(3);
  return workflow;
}

TEST_CASE("a workflow's row tells its state") {
  auto workflow = MakeWorkflow();
  CHECK(WorkflowView().row(workflow) == Row{"0199a000-0000-7000-8000-000000000001", "running",
                                            "analysis", "-", "2026-01-27T10:00:00Z", "3",
                                            "hammerspace"});
  workflow.mutable_completed_at()->set_seconds(1769508000);
  CHECK(WorkflowView().row(workflow)[1] == "completed");
  workflow.mutable_frozen()->set_error("can't fold");
  CHECK(WorkflowView().row(workflow)[1] == "frozen");
}

TEST_CASE("a hostile workflow can't reach the terminal through its details") {
  auto workflow = MakeWorkflow();
  workflow.set_project_name(kHostile);
  workflow.set_current_agent(kHostile);
  workflow.add_phase_history()->set_phase(kHostile);
  workflow.add_agent_handoffs()->set_from(kHostile);
  workflow.mutable_frozen()->set_error(kHostile);
  workflow.mutable_metadata()->set_text("{\"k\":\"\u202E\"}");
  CHECK(IsSafe(WorkflowDetails(workflow)));
}

TEST_CASE("a timeline's row is a line of the story") {
  store::v1::TimelineEntry entry;
  entry.set_position(5);
  entry.mutable_timestamp()->set_seconds(1769508000);
  entry.set_event_type("a.b");
  entry.set_summary("it happened");
  CHECK(TimelineView().row(entry) == Row{"5", "2026-01-27T10:00:00Z", "a.b", "-", "it happened"});
}

TEST_CASE("a session's row and details tell what there is of it") {
  store::v1::AgentSession session;
  session.set_session_id("0199a000-0000-7000-8000-000000000001");
  session.set_agent_type("letta");
  session.set_status("paused");
  session.mutable_started_at()->set_seconds(1769508000);
  session.mutable_last_active_at()->set_seconds(1769508000);
  session.set_version(2);
  session.mutable_metadata()->set_text("{\"status_reason\":\"waits\"}");
  CHECK(SessionView().row(session) == Row{"0199a000-0000-7000-8000-000000000001", "paused", "letta",
                                          "-", "2026-01-27T10:00:00Z", "2", "-", "-"});
  auto& checkpoint = *session.add_checkpoints();
  checkpoint.set_checkpoint_id("c1");
  checkpoint.set_summary(kHostile);
  checkpoint.mutable_created_at()->set_seconds(1769508000);
  session.set_project_name(kHostile);
  const std::string details = SessionDetails(session);
  CHECK(IsSafe(details));
  CHECK(details.find("2026-01-27T10:00:00Z  c1") != std::string::npos);
  CHECK(details.find("waits") != std::string::npos);
}

workflow::v1::WorkflowStatus MakeStatus(const std::string& text) {
  workflow::v1::WorkflowStatus status;
  status.set_workflow_id("0199a000-0000-7000-8000-000000000001");
  status.set_current_phase("implementation");
  auto& handoff = *status.add_handoffs();
  handoff.set_handoff_id("0199a000-0000-7000-8000-000000000002");
  handoff.set_from_agent("bmad-architect");
  handoff.set_to_agent("letta-dev");
  handoff.set_state("accepted");
  handoff.set_paused(true);
  handoff.set_task_description(text);
  handoff.set_progress("half");
  auto& question = *status.add_open_questions();
  question.set_request_id("0199a000-0000-7000-8000-000000000003");
  question.set_from_agent("letta-dev");
  question.set_question(text);
  return status;
}

TEST_CASE("a workflow's status tells hand-offs, what became of them, and open questions") {
  const std::string details = StatusDetails(MakeStatus("JWT?"));
  CHECK(
      details.find("bmad-architect -> letta-dev  accepted, paused  (event 0199a000-0000-7000-8000-"
                   "000000000002)") != std::string::npos);
  CHECK(details.find("task: JWT?\n") != std::string::npos);
  CHECK(details.find("progress: half\n") != std::string::npos);
  CHECK(details.find("reason:") == std::string::npos);
  CHECK(details.find("letta-dev: JWT?  (event 0199a000-0000-7000-8000-000000000003)\n") !=
        std::string::npos);
}

TEST_CASE("hostile hand-offs and steps can't reach the terminal") {
  CHECK(IsSafe(StatusDetails(MakeStatus(kHostile))));
  CHECK(StatusDetails(MakeStatus(kHostile)).find("\nforged") == std::string::npos);
  workflow::v1::WorkflowStep step;
  step.set_event_type("bmad.workflow.completed");
  step.add_correlation_ids("0199a000-0000-7000-8000-000000000001");
  step.mutable_payload()->set_text("{\"summary\":\"\u202E\"}");
  CHECK(IsSafe(StepForecast(step)));
  CHECK(StepForecast(step).find("correlation_ids  0199a000-0000-7000-8000-000000000001\n") !=
        std::string::npos);
}

}  // namespace
}  // namespace god33::cli
