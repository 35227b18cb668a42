#include "projection/workflow.h"

#include <catch2/catch.hpp>

#include "base/strings.h"
#include "json/value.h"
#include "testing/fake_ids.h"
#include "unit/printers.h"

namespace god33::projection {
namespace {

using testing::FakeId;

const absl::Time kStart = absl::FromUnixSeconds(1769508000);

absl::Time Minute(int n) {
  return kStart + absl::Minutes(n);
}

// The n-th event of a workflow's story: it happened in minute n, and stands at position n.
FoldEvent Event(int n, std::string type, std::string payload = "{}") {
  return {.id = FakeId(static_cast<std::uint64_t>(n)),
          .type = std::move(type),
          .time = Minute(n),
          .position = n,
          .since = n,
          .payload = std::move(payload)};
}

FoldEvent Started(int n, std::string payload = R"({"project_name":"user-authentication"})") {
  return Event(n, "bmad.workflow.started", std::move(payload));
}

FoldEvent PhaseCompleted(int n, std::string_view phase, std::string_view next = "") {
  return Event(n, "bmad.workflow.phase.completed",
               next.empty() ? StrCat(R"({"phase":")", phase, "\"}")
                            : StrCat(R"({"phase":")", phase, R"(","next_phase":")", next, "\"}"));
}

FoldEvent HandoffRequested(int n, std::string_view from, std::string_view to) {
  return Event(n, "bmad.workflow.handoff.requested",
               StrCat(R"({"from_agent":")", from, R"(","to_agent":")", to, "\"}"));
}

// Accepts the hand-off that event `request` asked for; as the store gives it, with the target.
FoldEvent Accepted(int n, int request, std::string to) {
  FoldEvent event = Event(n, "agent.handoff.accepted", R"({"agent_type":"letta"})");
  event.parents = {FakeId(static_cast<std::uint64_t>(request))};
  event.handoff_to = std::move(to);
  return event;
}

WorkflowState Fold(const std::vector<FoldEvent>& events) {
  WorkflowState state;
  for (const FoldEvent& event : events) {
    const absl::Status status = Apply(event, state);
    INFO(status);
    REQUIRE(status.ok());
  }
  return state;
}

TEST_CASE("a phase that names no next one is where the workflow has come to") {
  CHECK(Fold({Started(1), PhaseCompleted(2, "planning")}).current_phase == "planning");
}

TEST_CASE("a late word of an earlier phase does not take a workflow back from implementation") {
  const WorkflowState state =
      Fold({Started(1), HandoffRequested(2, "bmad-architect", "letta-python-dev"),
            Accepted(3, 2, "letta-python-dev"), PhaseCompleted(4, "planning")});
  CHECK(state.current_phase == "implementation");
}

TEST_CASE("agents are counted by their names; a mere kind of agent names nobody") {
  FoldEvent accepted = Accepted(2, 1, "letta-python-dev");
  accepted.agent_type = "letta";
  CHECK(Fold({HandoffRequested(1, "bmad-pm", "letta-python-dev"), accepted}).agents ==
        std::set<std::string>{"bmad-pm", "letta-python-dev"});
}

TEST_CASE("the first event makes a workflow, whatever it is") {
  const WorkflowState state = Fold({Event(1, "agent.thread.prompt")});
  CHECK(state.project_name == "unknown");
  CHECK(state.current_phase == "unknown");
  CHECK(state.current_agent.empty());
  CHECK(state.started_at == Minute(1));
  CHECK(state.updated_at == Minute(1));
  CHECK_FALSE(state.completed_at);
  CHECK(state.phase_history.empty());
  CHECK(state.version == 1);
  CHECK(state.position == 1);
  CHECK(state.events == std::deque<Uuid>{FakeId(1)});
}

TEST_CASE("a start names project and phase, which is analysis if it says none") {
  const WorkflowState plain = Fold({Started(1)});
  CHECK(plain.project_name == "user-authentication");
  CHECK(plain.current_phase == "analysis");
  CHECK(plain.phase_history == std::vector<WorkflowPhase>{{"analysis", Minute(1), std::nullopt}});
  CHECK(Fold({Started(1, R"({"project_name":"p","phase":"planning"})")}).current_phase ==
        "planning");
}

TEST_CASE("a completed phase is closed, and the next one entered") {
  const WorkflowState state =
      Fold({Started(1), PhaseCompleted(2, "analysis", "planning"),
            PhaseCompleted(3, "planning", "solutioning"), PhaseCompleted(4, "solutioning")});
  CHECK(state.current_phase == "solutioning");
  CHECK(state.phase_history == std::vector<WorkflowPhase>{{"analysis", Minute(1), Minute(2)},
                                                          {"planning", Minute(2), Minute(3)},
                                                          {"solutioning", Minute(3), Minute(4)}});
}

TEST_CASE("a phase may be completed that was never entered") {
  const WorkflowState state = Fold({PhaseCompleted(1, "analysis")});
  CHECK(state.current_phase == "analysis");
  CHECK(state.phase_history == std::vector<WorkflowPhase>{{"analysis", std::nullopt, Minute(1)}});
}

TEST_CASE("a phase may be entered again") {
  const WorkflowState state =
      Fold({Started(1), PhaseCompleted(2, "analysis", "planning"),
            PhaseCompleted(3, "planning", "analysis"), PhaseCompleted(4, "analysis", "planning")});
  CHECK(state.current_phase == "planning");
  CHECK(state.phase_history == std::vector<WorkflowPhase>{{"analysis", Minute(1), Minute(2)},
                                                          {"planning", Minute(2), Minute(3)},
                                                          {"analysis", Minute(3), Minute(4)},
                                                          {"planning", Minute(4), std::nullopt}});
}

TEST_CASE("a phase that is entered twice without an end is one phase") {
  const WorkflowState state = Fold({Started(1), PhaseCompleted(2, "unseen", "analysis")});
  CHECK(state.phase_history.size() == 2);
  CHECK(state.phase_history[0] == WorkflowPhase{"analysis", Minute(1), std::nullopt});
}

TEST_CASE("a phase event without a phase changes none") {
  const WorkflowState state = Fold(
      {Started(1), Event(2, "bmad.workflow.phase.completed", R"({"phase":7,"next_phase":"x"})")});
  CHECK(state.current_phase == "analysis");
  CHECK(state.version == 2);
}

TEST_CASE("a late start fills in the project and undoes nothing") {
  const WorkflowState state =
      Fold({PhaseCompleted(5, "analysis", "planning"), Started(2), PhaseCompleted(6, "planning")});
  CHECK(state.project_name == "user-authentication");
  CHECK(state.current_phase == "planning");
  CHECK(state.started_at == Minute(2));
  CHECK(state.started);

  const WorkflowState completed = Fold({Event(5, "bmad.workflow.completed"), Started(2)});
  CHECK(completed.completed_at == Minute(5));
  CHECK(completed.project_name == "user-authentication");
}

TEST_CASE("a workflow that is completed says when") {
  const WorkflowState state = Fold({Started(1), Event(9, "bmad.workflow.completed")});
  CHECK(state.completed_at == Minute(9));
  CHECK(state.current_phase == "analysis");
}

TEST_CASE("the first accepted hand-off begins the implementation, later ones don't") {
  std::vector<FoldEvent> story = {Started(1), PhaseCompleted(2, "analysis", "solutioning"),
                                  HandoffRequested(3, "bmad-architect", "letta-python-dev"),
                                  Accepted(4, 3, "letta-python-dev")};
  CHECK(Fold(story).current_phase == "implementation");
  story.push_back(PhaseCompleted(5, "implementation", "validation"));
  story.push_back(HandoffRequested(6, "letta-python-dev", "letta-qa"));
  story.push_back(Accepted(7, 6, "letta-qa"));
  const WorkflowState state = Fold(story);
  CHECK(state.current_phase == "validation");
  CHECK(state.current_agent == "letta-qa");
}

TEST_CASE("pattern 1 of the architecture ends where its projection says") {
  FoldEvent accepted = Accepted(4, 3, "letta-python-dev");
  accepted.agent_type = "letta";
  accepted.agent_instance = "letta-python-dev-001";
  FoldEvent checkpoint = Event(5, "agent.letta.checkpoint.saved");
  checkpoint.agent_type = "letta";
  const WorkflowState state = Fold(
      {Started(1), PhaseCompleted(2, "solutioning"),
       HandoffRequested(3, "bmad-architect", "letta-python-dev"), accepted, checkpoint,
       Event(6, "agent.letta.task.completed"),
       Event(7, "bmad.workflow.validation.requested", R"({"from_agent":"bmad-code-reviewer"})")});
  CHECK(state.current_phase == "implementation");
  CHECK(state.current_agent == "letta-python-dev");
  CHECK(state.current_agent_instance == "letta-python-dev-001");
  REQUIRE(state.handoffs.size() == 1);
  CHECK(state.handoffs[0] == WorkflowHandoff{.from = "bmad-architect",
                                             .to = "letta-python-dev",
                                             .at = Minute(3),
                                             .accepted_at = Minute(4),
                                             .event_id = FakeId(3)});
  CHECK(state.agents == std::set<std::string>{"bmad-architect", "letta-python-dev"});
  CHECK(state.version == 7);
  CHECK(state.position == 7);
  CHECK(state.updated_at == Minute(7));
}

TEST_CASE("who accepted is the hand-off's target, else the context's type, else the payload's") {
  FoldEvent event = Event(1, "agent.handoff.accepted", R"({"agent_type":"payload"})");
  CHECK(Fold({event}).current_agent == "payload");
  event.agent_type = "context";
  CHECK(Fold({event}).current_agent == "context");
  event.handoff_to = "target";
  CHECK(Fold({event}).current_agent == "target");
}

TEST_CASE("both names of a requested hand-off count, and only the one that was accepted is") {
  FoldEvent second = HandoffRequested(2, "c", "d");
  second.type = "agent.handoff.requested";
  const WorkflowState state = Fold({HandoffRequested(1, "a", "b"), second, Accepted(3, 2, "d")});
  REQUIRE(state.handoffs.size() == 2);
  CHECK_FALSE(state.handoffs[0].accepted_at);
  CHECK(state.handoffs[1].accepted_at == Minute(3));
  CHECK(state.agents == std::set<std::string>{"a", "b", "c", "d"});
}

TEST_CASE("the newest time counts as update, the newest membership as position") {
  FoldEvent late = Event(2, "a.b");
  late.since = 9;
  const WorkflowState state = Fold({Event(5, "a.b"), late});
  CHECK(state.updated_at == Minute(5));
  CHECK(state.position == 9);
  CHECK(state.started_at == Minute(5));
}

TEST_CASE("the newest thousand events and hand-offs are kept, oldest first") {
  WorkflowState state;
  for (int n = 1; n <= 1003; ++n) REQUIRE(Apply(HandoffRequested(n, "a", "b"), state).ok());
  CHECK(state.version == 1003);
  REQUIRE(state.events.size() == 1000);
  CHECK(state.events.front() == FakeId(4));
  CHECK(state.events.back() == FakeId(1003));
  REQUIRE(state.handoffs.size() == 1000);
  CHECK(state.handoffs.front().event_id == FakeId(4));
  CHECK(state.handoffs.back().event_id == FakeId(1003));
}

TEST_CASE("no more than a thousand phases and agents are kept") {
  WorkflowState state;
  for (int n = 1; n <= 1100; ++n) {
    FoldEvent event = PhaseCompleted(n, StrCat("p", n), StrCat("p", n + 1));
    event.agent_type = StrCat("agent-", n);
    REQUIRE(Apply(event, state).ok());
  }
  CHECK(state.phase_history.size() == 1000);
  CHECK(state.agents.size() == 1000);
  CHECK(state.current_phase == "p1101");
}

TEST_CASE("what no column of a workflow can hold is refused, and the state stays as it was") {
  const std::string nul = R"(a\u0000b)";
  const auto text = [](std::size_t size) { return std::string(size, 'x'); };
  FoldEvent long_target = Accepted(2, 1, text(101));
  FoldEvent long_type = Event(2, "agent.handoff.accepted");
  long_type.agent_type = text(101);
  for (const FoldEvent& event :
       {Started(2, StrCat(R"({"project_name":")", text(256), "\"}")),
        Started(2, StrCat(R"({"project_name":")", nul, "\"}")),
        Started(2, StrCat(R"({"project_name":"p","phase":")", text(51), "\"}")),
        PhaseCompleted(2, text(51)), PhaseCompleted(2, "a", text(51)), PhaseCompleted(2, nul),
        PhaseCompleted(2, "a", nul), long_target, long_type,
        Event(2, "agent.handoff.accepted", StrCat(R"({"agent_type":")", text(101), "\"}"))}) {
    CAPTURE(event.type, event.payload);
    WorkflowState state = Fold({Started(1)});
    const WorkflowState before = state;
    CHECK(Apply(event, state).code() == absl::StatusCode::kFailedPrecondition);
    CHECK(state == before);
  }
}

TEST_CASE("what just fits is folded") {
  std::string phase;
  for (int i = 0; i < 50; ++i) phase += "\xC3\xA9";
  const WorkflowState state =
      Fold({Started(1, StrCat(R"({"project_name":")", std::string(255, 'p'), "\"}")),
            PhaseCompleted(2, phase, phase), Accepted(3, 1, std::string(100, 'a'))});
  CHECK(state.project_name == std::string(255, 'p'));
  CHECK(state.current_agent == std::string(100, 'a'));
}

TEST_CASE("long texts in events that fold into no column are no fault") {
  const WorkflowState state =
      Fold({Event(1, "a.b",
                  StrCat(R"({"phase":")", std::string(1000, 'x'), R"(","project_name":")",
                         std::string(1000, 'y'), "\"}"))});
  CHECK(state.current_phase == "unknown");
}

// ---- JSON columns -------------------------------------------------------------------------------

TEST_CASE("phases are written as the architecture shows them") {
  CHECK(PhaseHistoryJson(Fold({PhaseCompleted(0, "analysis", "planning")})) ==
        R"([{"phase":"analysis","started_at":null,"completed_at":"2026-01-27T10:00:00Z"},)"
        R"({"phase":"planning","started_at":"2026-01-27T10:00:00Z","completed_at":null}])");
  CHECK(PhaseHistoryJson({}) == "[]");
}

TEST_CASE("hand-offs are written as the architecture shows them, with their event") {
  CHECK(HandoffsJson(Fold({HandoffRequested(0, "bmad-analyst", "bmad-pm")})) ==
        R"([{"from":"bmad-analyst","to":"bmad-pm","at":"2026-01-27T10:00:00Z","accepted_at":null,)"
        R"("event_id":"00000000-0000-4000-8000-000000000000"}])");
}

TEST_CASE("metadata counts the agents by their kind") {
  FoldEvent accepted = Accepted(3, 2, "letta-python-dev");
  accepted.agent_instance = "i-1";
  const WorkflowState state =
      Fold({HandoffRequested(1, "bmad-analyst", "bmad-pm"),
            HandoffRequested(2, "bmad-pm", "letta-python-dev"), accepted,
            HandoffRequested(4, "letta-python-dev", "director-of-engineering")});
  const std::string text = MetadataJson(state);
  const json::Value value = *json::Value::Parse(text);
  CHECK(value.Find("total_agents_involved")->ToInt64() == 4);
  CHECK(value.Find("bmad_agents")->ToInt64() == 2);
  CHECK(value.Find("letta_agents")->ToInt64() == 1);
  CHECK(value.Find("current_agent_instance")->ToString() == "i-1");
  CHECK(value.Find("agents")->text() ==
        R"(["bmad-analyst","bmad-pm","director-of-engineering","letta-python-dev"])");
}

}  // namespace
}  // namespace god33::projection
