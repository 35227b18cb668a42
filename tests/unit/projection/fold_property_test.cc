#include <catch2/catch.hpp>

#include "base/strings.h"
#include "json/text.h"
#include "json/value.h"
#include "projection/session.h"
#include "projection/workflow.h"
#include "testing/fake_ids.h"
#include "testing/json_tree.h"
#include "testing/random.h"
#include "unit/printers.h"

// Random stories, hostile texts included: a state that goes through the table's columns after every
// event is the state of a fold that never stopped, which is what a restart and a rebuild rely on.

namespace god33::projection {
namespace {

using testing::FakeId;
using testing::Random;

// Through the columns of the table workflow_state and back.
WorkflowState Stored(const WorkflowState& state) {
  WorkflowState read;
  read.id = state.id;
  read.project_name = state.project_name;
  read.current_phase = state.current_phase;
  read.current_agent = state.current_agent;
  read.started_at = state.started_at;
  read.updated_at = state.updated_at;
  read.completed_at = state.completed_at;
  read.events = state.events;
  read.version = state.version;
  read.position = state.position;
  ReadMetadata(MetadataJson(state), read);
  ReadPhaseHistory(PhaseHistoryJson(state), read);
  ReadHandoffs(HandoffsJson(state), read);
  return read;
}

// Through the columns of the table agent_sessions and back.
SessionState Stored(const SessionState& state) {
  SessionState read = state;
  read.checkpoints = 0;
  read.recovered_from.reset();
  read.status_reason.clear();
  ReadMetadata(MetadataJson(state), read);
  return read;
}

std::string Text(Random& random) {
  static constexpr std::string_view kTexts[] = {"analysis", "planning", "letta-python-dev",
                                                "bmad-pm", ""};
  return random.OneIn(4) ? testing::Utf8(testing::RandomUnits(random))
                         : std::string(random.Pick(kTexts));
}

FoldEvent RandomEvent(Random& random, std::int64_t position) {
  static constexpr std::string_view kTypes[] = {"bmad.workflow.started",
                                                "bmad.workflow.phase.completed",
                                                "bmad.workflow.handoff.requested",
                                                "agent.handoff.requested",
                                                "agent.handoff.accepted",
                                                "bmad.workflow.completed",
                                                "agent.letta.checkpoint.saved",
                                                "agent.letta.session.paused",
                                                "agent.letta.session.resumed",
                                                "agent.letta.session.failed",
                                                "agent.letta.session.recovery.started",
                                                "agent.letta.task.completed",
                                                "agent.letta.task.cancelled",
                                                "agent.thread.prompt"};
  static constexpr std::string_view kKeys[] = {
      "project_name", "phase",          "next_phase",        "from_agent",
      "to_agent",     "agent_type",     "checkpoint_id",     "final_checkpoint_id",
      "reason",       "failure_reason", "agent_instance_id", "recovering_from_checkpoint"};
  FoldEvent event{.id = FakeId(static_cast<std::uint64_t>(position)),
                  .type = std::string(random.Pick(kTypes)),
                  .time = absl::FromUnixMicros(1769508000'000000 +
                                               random.Between(-1'000'000'000, 1'000'000'000)),
                  .position = position,
                  .since = position};
  if (random.OneIn(3)) event.agent_type = Text(random);
  if (random.OneIn(3)) event.agent_instance = Text(random);
  if (random.OneIn(3)) event.handoff_to = Text(random);
  if (random.OneIn(3)) event.workflow = FakeId(1 + random.Below(2));
  if (random.OneIn(3)) event.project = "p";
  for (std::size_t i = random.Below(3); i > 0; --i) {
    event.parents.push_back(FakeId(1 + random.Below(static_cast<std::size_t>(position))));
  }
  event.payload = StrCat(R"({"session_id":")", FakeId(500).ToString(), R"(","new_session_id":")",
                         FakeId(random.OneIn(2) ? 500 : 501).ToString(), "\"");
  for (const std::string_view key : kKeys) {
    if (random.OneIn(3)) continue;
    StrAppend(&event.payload, ",\"", key, "\":");
    if (random.OneIn(10)) {
      event.payload.append(WriteJsonTree(random, testing::RandomJson(random)));
    } else {
      json::AppendString(event.payload, Text(random));
    }
  }
  event.payload.push_back('}');
  REQUIRE(json::Value::Parse(event.payload).ok());
  return event;
}

template <typename State>
void CheckStories(std::uint64_t seeds) {
  int folded = 0;
  int refused = 0;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    State straight;
    straight.id = FakeId(500);
    State restarted = straight;
    for (std::int64_t position = 1; position <= 30; ++position) {
      const FoldEvent event = RandomEvent(random, position);
      CAPTURE(position, event.type, event.payload);
      const State before = straight;
      const absl::Status status = Apply(event, straight);
      REQUIRE(Apply(event, restarted) == status);
      if (!status.ok()) {
        REQUIRE(status.code() == absl::StatusCode::kFailedPrecondition);
        REQUIRE(straight == before);
        ++refused;
        continue;
      }
      ++folded;
      REQUIRE(straight.version == before.version + 1);
      REQUIRE(straight.position == position);
      REQUIRE(json::Value::Parse(MetadataJson(straight)).ok());
      restarted = Stored(restarted);
      REQUIRE(restarted == straight);
    }
  }
  CHECK(folded > 1000);
  CHECK(refused > 10);
}

TEST_CASE("a workflow's state survives its columns after every event") {
  CheckStories<WorkflowState>(300);
}

TEST_CASE("a session's state survives its columns after every event") {
  CheckStories<SessionState>(300);
}

}  // namespace
}  // namespace god33::projection
