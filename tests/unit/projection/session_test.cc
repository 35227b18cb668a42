#include "projection/session.h"

#include <catch2/catch.hpp>

#include "base/strings.h"
#include "testing/fake_ids.h"
#include "unit/printers.h"

namespace god33::projection {
namespace {

using testing::FakeId;

const absl::Time kStart = absl::FromUnixSeconds(1769508000);
const Uuid kSession = FakeId(100);
const Uuid kRecovery = FakeId(200);

absl::Time Minute(int n) {
  return kStart + absl::Minutes(n);
}

// Event n of session `id`'s story, with more payload members behind its session_id.
FoldEvent Event(int n, std::string type, std::string_view members = "", const Uuid& id = kSession) {
  return {.id = FakeId(static_cast<std::uint64_t>(n)),
          .type = std::move(type),
          .time = Minute(n),
          .position = n,
          .since = n,
          .payload = StrCat(R"({"session_id":")", id.ToString(), "\"", members, "}")};
}

FoldEvent Recovery(int n) {
  FoldEvent event = Event(n, "agent.letta.session.recovery.started");
  event.payload =
      StrCat(R"({"session_id":")", kSession.ToString(), R"(","new_session_id":")",
             kRecovery.ToString(), R"(","recovering_from_checkpoint":"checkpoint-123"})");
  return event;
}

SessionState Fold(const std::vector<FoldEvent>& events, const Uuid& id = kSession) {
  SessionState state;
  state.id = id;
  for (const FoldEvent& event : events) {
    const absl::Status status = Apply(event, state);
    INFO(status);
    REQUIRE(status.ok());
  }
  return state;
}

TEST_CASE("an agent's event takes part in the sessions that it names") {
  CHECK(SessionsOf(Event(1, "agent.letta.checkpoint.saved")) == std::vector<Uuid>{kSession});
  CHECK(SessionsOf(Recovery(1)) == std::vector<Uuid>{kSession, kRecovery});
  FoldEvent only_new = Recovery(1);
  only_new.payload = StrCat(R"({"new_session_id":")", kRecovery.ToString(), "\"}");
  CHECK(SessionsOf(only_new) == std::vector<Uuid>{kRecovery});
  FoldEvent same = Recovery(1);
  same.payload = StrCat(R"({"session_id":")", kSession.ToString(), R"(","new_session_id":")",
                        kSession.ToString(), "\"}");
  CHECK(SessionsOf(same) == std::vector<Uuid>{kSession});
  // Beside a session_id, only a recovery opens another session.
  FoldEvent other = Recovery(1);
  other.type = "agent.letta.session.recovery.failed";
  CHECK(SessionsOf(other) == std::vector<Uuid>{kSession});
}

TEST_CASE("other events, and sessions that are no UUIDs, take part in none") {
  CHECK(SessionsOf(Event(1, "session.thread.message")).empty());
  CHECK(SessionsOf(Event(1, "agentx.y")).empty());
  FoldEvent event = Event(1, "agent.message.sent");
  for (const char* payload : {"{}", R"({"session_id":"s-1"})", R"({"session_id":7})",
                              R"({"session_id":null,"new_session_id":""})"}) {
    event.payload = payload;
    CHECK(SessionsOf(event).empty());
  }
}

TEST_CASE("the first event makes a session, which is active") {
  FoldEvent event = Event(1, "agent.message.sent");
  event.agent_type = "letta";
  event.agent_instance = "i-1";
  event.workflow = FakeId(7);
  event.project = "p";
  const SessionState state = Fold({event});
  CHECK(state.status == "active");
  CHECK(state.agent_type == "letta");
  CHECK(state.agent_instance_id == "i-1");
  CHECK(state.workflow_id == FakeId(7));
  CHECK(state.project_name == "p");
  CHECK(state.started_at == Minute(1));
  CHECK(state.last_active_at == Minute(1));
  CHECK_FALSE(state.completed_at);
  CHECK(state.version == 1);
  CHECK(state.position == 1);
}

TEST_CASE("a session that nobody describes is of an unknown agent") {
  const SessionState state = Fold({Event(1, "agent.message.sent")});
  CHECK(state.agent_type == "unknown");
  CHECK(state.agent_instance_id.empty());
  CHECK_FALSE(state.workflow_id);
}

TEST_CASE("an accepted hand-off opens a session with its first checkpoint") {
  FoldEvent event = Event(1, "agent.handoff.accepted",
                          R"(,"agent_type":"letta","checkpoint_id":"initial-checkpoint")");
  CHECK(Fold({event}).agent_type == "letta");
  CHECK(Fold({event}).checkpoint_id == "initial-checkpoint");
  CHECK(Fold({event}).checkpoints == 0);
  event.agent_type = "context";
  CHECK(Fold({event}).agent_type == "context");
  event.handoff_to = "letta-python-dev";
  CHECK(Fold({event}).agent_type == "letta-python-dev");
  CHECK(Fold({event}).status == "active");
}

TEST_CASE("a hand-off that was accepted before the first event began the session") {
  CHECK(Fold({Event(5, "agent.letta.checkpoint.saved"), Event(2, "agent.handoff.accepted")})
            .started_at == Minute(2));
}

TEST_CASE("saved checkpoints are counted, and the newest is kept") {
  const SessionState state =
      Fold({Event(1, "agent.handoff.accepted", R"(,"checkpoint_id":"c-0")"),
            Event(2, "agent.letta.checkpoint.saved", R"(,"checkpoint_id":"c-1")"),
            Event(3, "agent.letta.checkpoint.saved", R"(,"checkpoint_id":"c-2")")});
  CHECK(state.checkpoint_id == "c-2");
  CHECK(state.checkpoints == 2);
}

TEST_CASE("a session pauses, resumes and fails with its reason") {
  std::vector<FoldEvent> story = {
      Event(1, "agent.handoff.accepted"),
      Event(2, "agent.letta.session.paused", R"(,"reason":"awaiting_feedback")")};
  CHECK(Fold(story).status == "paused");
  CHECK(Fold(story).status_reason == "awaiting_feedback");
  story.push_back(Event(3, "agent.letta.session.resumed"));
  CHECK(Fold(story).status == "active");
  CHECK(Fold(story).status_reason.empty());
  story.push_back(
      Event(4, "agent.letta.session.failed", R"(,"failure_reason":"connection_timeout")"));
  CHECK(Fold(story).status == "failed");
  CHECK(Fold(story).status_reason == "connection_timeout");
  CHECK(Fold(story).completed_at == Minute(4));
}

TEST_CASE("a session whose task is called off has failed, and says why") {
  const SessionState state =
      Fold({Event(1, "agent.handoff.accepted"),
            Event(2, "agent.letta.task.cancelled", R"(,"reason":"dropped")")});
  CHECK(state.status == "failed");
  CHECK(state.status_reason == "cancelled: dropped");
  CHECK(state.completed_at == Minute(2));
  CHECK(Fold({Event(1, "agent.letta.task.cancelled")}).status_reason == "cancelled");
}

TEST_CASE("a task that is blocked or resumed, and questions, leave the session as it is") {
  std::vector<FoldEvent> story = {Event(1, "agent.handoff.accepted")};
  for (const char* type :
       {"agent.letta.task.blocked", "agent.letta.task.resumed", "agent.letta.context.updated",
        "agent.letta.context.restored", "agent.feedback.requested", "agent.feedback.response",
        "agent.feedback.withdrawn", "agent.feedback.timed_out"}) {
    story.push_back(Event(static_cast<int>(story.size()) + 1, type, R"(,"reason":"r")"));
    CHECK(Fold(story).status == "active");
    CHECK(Fold(story).status_reason.empty());
  }
}

TEST_CASE("a completed task completes the session with its last checkpoint") {
  const SessionState state =
      Fold({Event(1, "agent.handoff.accepted"),
            Event(2, "agent.letta.task.completed", R"(,"final_checkpoint_id":"c-final")")});
  CHECK(state.status == "completed");
  CHECK(state.completed_at == Minute(2));
  CHECK(state.checkpoint_id == "c-final");
}

TEST_CASE("an acceptance that comes late undoes no completion") {
  const SessionState state =
      Fold({Event(5, "agent.letta.task.completed"), Event(1, "agent.handoff.accepted")});
  CHECK(state.status == "completed");
  CHECK(state.completed_at == Minute(5));
}

TEST_CASE("pattern 3 of the architecture: a new session goes on from the checkpoint") {
  const FoldEvent failed =
      Event(2, "agent.letta.session.failed",
            R"(,"last_checkpoint_id":"checkpoint-123","failure_reason":"connection_timeout")");
  const SessionState old =
      Fold({Event(1, "agent.letta.checkpoint.saved", R"(,"checkpoint_id":"checkpoint-123")"),
            failed, Recovery(3)});
  CHECK(old.status == "failed");
  CHECK(old.completed_at == Minute(2));
  CHECK_FALSE(old.recovered_from);
  CHECK(old.checkpoint_id == "checkpoint-123");

  const SessionState recovered =
      Fold({Recovery(3), Event(4, "agent.letta.context.restored", "", kRecovery),
            Event(5, "agent.letta.task.resumed", "", kRecovery)},
           kRecovery);
  CHECK(recovered.status == "active");
  CHECK(recovered.recovered_from == kSession);
  CHECK(recovered.checkpoint_id == "checkpoint-123");
  CHECK(recovered.started_at == Minute(3));
  CHECK(recovered.last_active_at == Minute(5));
  CHECK(recovered.version == 3);
}

TEST_CASE("the agent's instance is the context's, else the payload's, and the newest counts") {
  FoldEvent event = Event(1, "agent.message.sent", R"(,"agent_instance_id":"payload")");
  CHECK(Fold({event}).agent_instance_id == "payload");
  event.agent_instance = "context";
  CHECK(Fold({event}).agent_instance_id == "context");
  CHECK(Fold({event, Event(2, "agent.message.sent")}).agent_instance_id == "context");
}

TEST_CASE("a session stays in the workflow that it began in") {
  FoldEvent first = Event(1, "agent.message.sent");
  FoldEvent second = Event(2, "agent.message.sent");
  second.workflow = FakeId(7);
  FoldEvent third = Event(3, "agent.message.sent");
  third.workflow = FakeId(8);
  CHECK(Fold({first, second, third}).workflow_id == FakeId(7));
}

TEST_CASE("what no column of a session can hold is refused, and the state stays as it was") {
  const std::string type(51, 't');
  const std::string text(256, 'x');
  FoldEvent long_type = Event(2, "agent.message.sent");
  long_type.agent_type = type;
  FoldEvent long_target = Event(2, "agent.handoff.accepted");
  long_target.handoff_to = type;
  FoldEvent long_instance = Event(2, "agent.message.sent");
  long_instance.agent_instance = text;
  for (const FoldEvent& event :
       {long_type, long_target, long_instance,
        Event(2, "agent.handoff.accepted", StrCat(R"(,"agent_type":")", type, "\"")),
        Event(2, "agent.message.sent", StrCat(R"(,"agent_instance_id":")", text, "\"")),
        Event(2, "agent.letta.checkpoint.saved", StrCat(R"(,"checkpoint_id":")", text, "\"")),
        Event(2, "agent.letta.checkpoint.saved", R"(,"checkpoint_id":"a\u0000b")"),
        Event(2, "agent.letta.task.completed",
              StrCat(R"(,"final_checkpoint_id":")", text, "\""))}) {
    CAPTURE(event.type, event.payload);
    SessionState state = Fold({Event(1, "agent.message.sent")});
    const SessionState before = state;
    CHECK(Apply(event, state).code() == absl::StatusCode::kFailedPrecondition);
    CHECK(state == before);
  }
}

TEST_CASE("metadata holds what has no column") {
  SessionState state = Fold({Recovery(1)}, kRecovery);
  state.checkpoints = 3;
  CHECK(MetadataJson(state) == StrCat(R"({"checkpoints":3,"recovered_from":")", kSession.ToString(),
                                      R"(","status_reason":null})"));
  CHECK(MetadataJson({}) == R"({"checkpoints":0,"recovered_from":null,"status_reason":null})");
}

}  // namespace
}  // namespace god33::projection
