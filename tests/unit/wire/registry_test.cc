#include "wire/registry.h"

#include <catch2/catch.hpp>

namespace god33::wire {
namespace {

using Errors = std::vector<std::string>;

Errors Check(std::string_view type, std::string_view payload) {
  static const PayloadRegistry registry;
  return registry.Check(type, payload);
}

// The payloads of seed 001, "Payload Schemas", with ids and lists filled in.
constexpr char kHandoff[] = R"({"workflow_id":"6f9619ff-8b86-4011-b42d-00c04fc964ff",
  "from_agent":"bmad-architect","to_agent":"letta-python-dev","task_type":"implement_feature",
  "task_description":"Implement user authentication feature",
  "context":{"requirements":{},"architecture":{},"file_references":["a.py"],"constraints":{}},
  "deadline":"2026-01-15T00:00:00Z","priority":"high"})";
constexpr char kCheckpoint[] = R"({"session_id":"6f9619ff-8b86-4011-b42d-00c04fc964ff",
  "checkpoint_id":"letta-checkpoint-xyz","agent_instance_id":"letta-python-dev-001",
  "checkpoint_type":"progress","summary":"Completed auth module implementation",
  "context_snapshot":{"files_modified":["a.py"],"current_focus":"Writing unit tests",
    "next_steps":"Integration tests"},
  "metrics":{"tokens_used":45000,"duration_seconds":1200}})";
constexpr char kCompleted[] = R"({"session_id":"6f9619ff-8b86-4011-b42d-00c04fc964ff",
  "workflow_id":"6f9619ff-8b86-4011-b42d-00c04fc964ff",
  "task_id":"6f9619ff-8b86-4011-b42d-00c04fc964ff","agent_instance_id":"letta-python-dev-001",
  "final_checkpoint_id":"letta-checkpoint-final",
  "artifacts":[{"type":"code","path":"src/auth/module.py","status":"modified"},
    {"type":"test","path":"tests/test_auth.py","status":"created"}],
  "validation":{"tests_passed":true,"lint_passed":true,"coverage_pct":87.5},
  "next_action":"qa_review","summary":"User authentication feature implemented with tests"})";

TEST_CASE("the registry knows the event types that have a schema, with a summary") {
  const PayloadRegistry registry;
  for (const char* type : {"bmad.workflow.started",
                           "bmad.workflow.phase.completed",
                           "bmad.workflow.handoff.requested",
                           "agent.handoff.requested",
                           "agent.handoff.accepted",
                           "agent.handoff.rejected",
                           "agent.letta.checkpoint.saved",
                           "agent.letta.task.completed",
                           "agent.letta.task.blocked",
                           "agent.letta.task.cancelled",
                           "agent.letta.task.resumed",
                           "agent.letta.context.updated",
                           "agent.letta.context.restored",
                           "agent.letta.session.paused",
                           "agent.letta.session.resumed",
                           "agent.letta.session.failed",
                           "agent.letta.session.recovery.started",
                           "agent.feedback.requested",
                           "agent.feedback.response",
                           "agent.feedback.withdrawn",
                           "agent.feedback.timed_out",
                           "bmad.workflow.validation.requested",
                           "bmad.workflow.completed"}) {
    CAPTURE(type);
    const auto entry = registry.entries().find(type);
    REQUIRE(entry != registry.entries().end());
    CHECK(entry->second.schema != nullptr);
    CHECK_FALSE(entry->second.summary.empty());
  }
  CHECK(registry.entries().find("agent.thread.prompt") == registry.entries().end());
}

TEST_CASE("the seed's payloads keep their schemas") {
  CHECK(Check("bmad.workflow.handoff.requested", kHandoff) == Errors{});
  CHECK(Check("agent.handoff.requested", kHandoff) == Errors{});
  CHECK(Check("agent.letta.checkpoint.saved", kCheckpoint) == Errors{});
  CHECK(Check("agent.letta.task.completed", kCompleted) == Errors{});
}

TEST_CASE("questions and answers are known in both vocabularies") {
  CHECK(Check("agent.feedback.requested",
              R"({"from_agent":"letta-python-dev","question":"JWT or cookies?",
                  "context":{"tradeoffs":[]},"options":["JWT","cookies"],"default":"JWT",
                  "blocking":true,"deadline":"2026-01-15T00:00:00Z"})") == Errors{});
  CHECK(Check("agent.feedback.requested",
              R"({"agent_id":"a-1","message":"JWT?","letta_agent_id":"agent-1","context":"text",
                  "tags":["auth"]})") == Errors{});
  CHECK(Check("agent.feedback.requested", R"({"agent_id":"a-1","options":"JWT"})") ==
        Errors{"question: is required (or message)", R"(options: expected an array, got "JWT")"});
  CHECK(Check("agent.feedback.response",
              R"({"decision":"JWT","rationale":"Better for microservices"})") == Errors{});
  CHECK(Check("agent.feedback.response",
              R"({"agent_id":"a-1","response":"JWT","status":"answered"})") == Errors{});
  CHECK(Check("agent.feedback.response", R"({"request_id":"q-1"})") ==
        Errors{R"(request_id: expected a UUID, got "q-1")", "decision: is required (or response)"});
}

TEST_CASE("the events of a recovery keep their schemas with what the seed says of them") {
  const std::string session = R"({"session_id":"6f9619ff-8b86-4011-b42d-00c04fc964ff")";
  CHECK(Check("agent.letta.session.failed", session + R"(,"last_checkpoint_id":"checkpoint-123",
                  "failure_reason":"connection_timeout"})") == Errors{});
  CHECK(Check("agent.letta.session.recovery.started",
              session + R"(,"new_session_id":"7f9619ff-8b86-4011-b42d-00c04fc964ff",
                  "recovering_from_checkpoint":"checkpoint-123","epoch":2})") == Errors{});
  CHECK(Check("agent.letta.session.recovery.started", session + R"(,"epoch":"2"})") ==
        Errors{"new_session_id: is required", R"(epoch: expected a whole number, got "2")"});
  CHECK(Check("agent.letta.context.restored",
              session + R"(,"checkpoint_id":"checkpoint-123","context_delta":[]})") ==
        Errors{"context_delta: expected an object, got an array"});
  CHECK(Check("agent.letta.task.resumed", session + R"(,"resuming_from":"checkpoint-123"})") ==
        Errors{});
  CHECK(Check("agent.letta.checkpoint.saved",
              session + R"(,"checkpoint_id":"c","sequence":1.5,"letta":{"message_count":"many"},
                  "worktree":"/srv"})") ==
        Errors{"sequence: expected a whole number, got a number",
               R"(letta.message_count: expected a whole number, got "many")",
               R"(worktree: expected an object, got "/srv")"});
}

TEST_CASE("nothing in an unknown type is an error") {
  CHECK(Check("agent.thread.prompt", R"({"workflow_id":7})") == Errors{});
  CHECK(Check("bmad.workflow.start", "{}") == Errors{});
  CHECK(Check("", "{}") == Errors{});
}

TEST_CASE("fields that a schema does not know are no errors") {
  CHECK(Check("bmad.workflow.completed",
              R"({"workflow_id":"6f9619ff-8b86-4011-b42d-00c04fc964ff","x":[1],"extra":{}})") ==
        Errors{});
}

TEST_CASE("required fields that are missing or null are told") {
  CHECK(Check("bmad.workflow.started", "{}") ==
        Errors{"workflow_id: is required", "project_name: is required"});
  CHECK(Check("bmad.workflow.started", R"({"workflow_id":null,"project_name":"p"})") ==
        Errors{"workflow_id: is required"});
}

TEST_CASE("a null where nothing is required counts as absent") {
  CHECK(Check("bmad.workflow.started",
              R"({"workflow_id":"6f9619ff-8b86-4011-b42d-00c04fc964ff","project_name":"p",
                  "phase":null})") == Errors{});
}

TEST_CASE("an alias counts as the field itself") {
  const std::string head =
      R"({"workflow_id":"6f9619ff-8b86-4011-b42d-00c04fc964ff","from_agent":"a",
      "to_agent":"b")";
  const char* type = "agent.handoff.requested";
  CHECK(Check(type, head + R"(,"task":"do it"})") == Errors{});
  CHECK(Check(type, head + R"(,"task":"do it","task_description":null})") == Errors{});
  CHECK(Check(type, head + "}") == Errors{"task_description: is required (or task)"});
  CHECK(Check(type, head + R"(,"task":7})") ==
        Errors{"task_description: expected a string, got a number"});
}

TEST_CASE("values of the wrong kind are told, with the path to them") {
  CHECK(Check("bmad.workflow.started", R"({"workflow_id":7,"project_name":["p"],"phase":{}})") ==
        Errors{"workflow_id: expected a string, got a number",
               "project_name: expected a string, got an array",
               "phase: expected a string, got an object"});
  CHECK(Check("agent.letta.task.completed",
              R"({"session_id":"6f9619ff-8b86-4011-b42d-00c04fc964ff",
                  "artifacts":[{"path":1},"x",{"path":"ok"}],
                  "validation":{"tests_passed":"yes","coverage_pct":"87"}})") ==
        Errors{"artifacts[0].path: expected a string, got a number",
               "artifacts[1]: expected an object, got \"x\"",
               "validation.tests_passed: expected a boolean, got \"yes\"",
               "validation.coverage_pct: expected a number, got \"87\""});
  CHECK(Check("agent.letta.task.completed",
              R"({"session_id":"6f9619ff-8b86-4011-b42d-00c04fc964ff","artifacts":{},
                  "validation":true})") == Errors{"artifacts: expected an array, got an object",
                                                  "validation: expected an object, got a boolean"});
}

TEST_CASE("whole numbers are whole and fit 64 bits") {
  const auto tokens = [](const std::string& number) {
    return Check("agent.letta.checkpoint.saved",
                 R"({"session_id":"6f9619ff-8b86-4011-b42d-00c04fc964ff","checkpoint_id":"c",
                     "metrics":{"tokens_used":)" +
                     number + "}}");
  };
  CHECK(tokens("9223372036854775807") == Errors{});
  CHECK(tokens("1.5") == Errors{"metrics.tokens_used: expected a whole number, got a number"});
  CHECK(tokens("9223372036854775808") ==
        Errors{"metrics.tokens_used: expected a whole number, got a number"});
}

TEST_CASE("formats are checked: UUIDs, times, objects") {
  CHECK(Check("bmad.workflow.completed", R"({"workflow_id":"wf-1"})") ==
        Errors{R"(workflow_id: expected a UUID, got "wf-1")"});
  CHECK(Check("agent.handoff.requested",
              R"({"workflow_id":"6f9619ff-8b86-4011-b42d-00c04fc964ff","from_agent":"a",
                  "to_agent":"b","task":"t","context":"c","deadline":"soon"})") ==
        Errors{R"(context: expected an object, got "c")",
               R"(deadline: expected an RFC 3339 time, got "soon")"});
}

TEST_CASE("a field of any JSON value takes any") {
  for (const char* steps : {R"("a")", R"(["a","b"])", "7", "{}", "null"}) {
    CHECK(Check("agent.letta.checkpoint.saved",
                R"({"session_id":"6f9619ff-8b86-4011-b42d-00c04fc964ff","checkpoint_id":"c",
                    "context_snapshot":{"next_steps":)" +
                    std::string(steps) + "}}") == Errors{});
  }
}

TEST_CASE("long texts are not quoted in errors") {
  const std::string text(1000, 'x');
  CHECK(Check("bmad.workflow.completed", R"({"workflow_id":")" + text + "\"}") ==
        Errors{"workflow_id: expected a UUID, got a string"});
}

TEST_CASE("at most 20 errors are told") {
  std::string artifacts;
  for (int i = 0; i < 100; ++i) artifacts += i == 0 ? "1" : ",1";
  const Errors errors = Check("agent.letta.task.completed", R"({"artifacts":[)" + artifacts + "]}");
  CHECK(errors.size() == 20);
  CHECK(errors[0] == "session_id: is required");
  CHECK(errors[19] == "artifacts[18]: expected an object, got a number");
}

TEST_CASE("errors beyond the twentieth are left out wherever they are") {
  std::string artifacts = "1";
  for (int i = 1; i < 18; ++i) artifacts += ",1";
  const Errors errors =
      Check("agent.letta.task.completed", R"({"summary":7,"next_action":7,"workflow_id":7,
            "artifacts":[)" + artifacts + R"(],"validation":{"tests_passed":7,"lint_passed":7}})");
  CHECK(errors.size() == 20);
}

TEST_CASE("of duplicate fields the last is checked") {
  CHECK(Check("bmad.workflow.completed",
              R"({"workflow_id":7,"workflow_id":"6f9619ff-8b86-4011-b42d-00c04fc964ff"})") ==
        Errors{});
}

}  // namespace
}  // namespace god33::wire
